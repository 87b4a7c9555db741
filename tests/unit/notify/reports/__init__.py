"""Bounces and complaints as servers write them: the forms are theirs, the people are ours."""
