labwright init lab && cp lab/*.yaml .
labwright() { command labwright "${@/#500/20}"; }  # a tenth of an hour is enough
