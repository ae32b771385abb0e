"""Mirror-descent solvers: magnetic mirror descent in behavioural and sequence form."""
