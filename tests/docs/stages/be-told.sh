. "$stages/common.sh"
labwright init lab && cp lab/*.yaml .
receive 8766
cat > notify.yaml <<'END'
targets:
  lims: {webhook: "http://127.0.0.1:8766/labwright", tell: [all]}
END
chmod 600 notify.yaml
