# ---
# jupyter:
#   gradschool:
#     title: A first lesson
#     minutes: 5
# ---

# %% [markdown]
# # A first lesson
#
# It holds one of everything that a build has to deal with.

# %%
import numpy as np

print(np.arange(3))

# %% tags=["figure"]
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(1, 1))
axes.plot([0, 1])
plt.show()

# %%
from IPython.display import display

display(
    {
        "text/plain": "a slider",
        "text/html": '<img alt="a slider at 1" src="data:image/png;base64,AAAA">',
        "application/vnd.jupyter.widget-view+json": {"model_id": "0" * 32, "version_major": 2, "version_minor": 0},
    },
    raw=True,
)

# %%
1 + 1
