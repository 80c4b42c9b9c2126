"""Trains the networks of `engines`, on COCO's keypoints and on what a teacher says."""
