. "$stages/common.sh"; checkout
