. "$stages/common.sh"; screening
