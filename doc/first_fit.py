from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_lattices

data = make_lattices(300, random_state=0)
X = {"image": data.images, "stress": data.curves}
est = CausalPIMA(node_sizes=(2, 2), random_state=0).fit(X)

print(est.report())  # is the fit any good?
print(est.predict_nodes(X)[:3])  # the outcomes of both nodes
print(est.impute({"image": data.images[:3], "stress": None})["stress"].shape)
est.plot_summary(X).figure_.savefig("first_fit.png", dpi=100)
