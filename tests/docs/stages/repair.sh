. "$stages/common.sh"; titration lab.db
for _ in $(seq 240); do   # the page retracts experiment 12
  if [ "$(labwright experiment list titration --status completed --store lab.db --json | grep -c '"number"')" -ge 10 ]; then break; fi
  sleep 1
done
