labwright init lab && cp lab/*.yaml .
