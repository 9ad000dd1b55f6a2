. "$stages/common.sh"; titration_files; cp -r "$ROOT/examples/continuous" .
