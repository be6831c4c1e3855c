# ---
# jupyter:
#   gradschool:
#     title: A second lesson
#     minutes: 40
# ---

# %% [markdown]
# # A second lesson

# %%
print("second")
