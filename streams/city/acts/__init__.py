"""Acts of misconduct, each beside its innocent twin, by kind of subject. An act plays on a stage and labels it.

A function of misconduct obeys `stage.excess`: -1 stays one step below the threshold, 0 meets it, more goes beyond.
"""
