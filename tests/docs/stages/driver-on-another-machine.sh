. "$stages/common.sh"; titration_files; rm lab.yaml
printf "......" > doses  # the vials that make it choke and die are behind it
cat > lab.yaml <<'END'
lab: far-bench
endpoint: tcp://127.0.0.1:5570
instruments:
  titrator: {driver: external, limits: {volume: [0, 15]}}
protocol:
  - {step: dose, instrument: titrator, action: dose, with: {volume: $volume}, gives: {ph: ph}}
END
labwright() { command labwright "${@//lab-pc/127.0.0.1}"; }
