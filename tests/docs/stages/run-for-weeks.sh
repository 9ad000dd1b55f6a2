. "$stages/common.sh"; titration lab.db
