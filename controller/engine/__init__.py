"""The engine: the only room that knows all the others. One loop per campaign, one session per lab, one thinker per controller."""
