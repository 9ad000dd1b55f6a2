"""What is learned from what was measured: training data, fitted models, regions that fail, when to stop."""
