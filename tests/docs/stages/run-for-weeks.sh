. "$stages/common.sh"; titration_files
