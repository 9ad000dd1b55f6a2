# The address that the page names may be taken on this machine.
labwright() { case "$*" in "daemon start --page") set -- "$@" --http 127.0.0.1:8765 ;; esac; command labwright "$@"; }
