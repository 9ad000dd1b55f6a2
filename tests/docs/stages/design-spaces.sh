cat > campaign.yaml <<'END'
campaign: my-campaign
parameters:
  t: {type: continuous, bounds: [0, 60]}
context:
  humidity: {type: continuous, bounds: [0, 100], unit: percent}
  operator: {type: categorical, choices: [Ada, Grace]}
objectives: {y: {goal: maximize}}
budget: {experiments: 3}
lab: lab.yaml
END
cat > lab.yaml <<'END'
lab: bench
instruments: {bench: {driver: external}}
protocol:
  - {step: work, instrument: bench, action: work, with: {t: $t}, gives: {y: y}}
END
labwright daemon start
labwright campaign start campaign.yaml
