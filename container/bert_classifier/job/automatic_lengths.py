"""The range of an automatic max_seq_length.

Texts that are classified later may be longer than those of training, and short ones cost no more for it; but texts
twice as long cost more than twice as much.
"""

LEAST_AUTOMATIC_LENGTH, LARGEST_AUTOMATIC_LENGTH = 256, 512
