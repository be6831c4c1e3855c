# ---
# jupyter:
#   gradschool:
#     title: A lesson for the tests of the check engine
#     minutes: 1
# ---
