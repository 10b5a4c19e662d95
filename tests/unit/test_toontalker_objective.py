"""The objective of the paper, Eq. 6 to 12, against a plain transcription, and which modules learn from which term."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from toonbench.networks.vgg19 import VGG19, PerceptualLoss
from toonbench.training.clips import ClipSet
from toonbench.training.processes import ProcessGroup
from toontalker.config import NetworkConfig
from toontalker.train.config import ABLATIONS, TrainConfig
from toontalker.train.state import begin_stage2, new_state
from toontalker.train.step import adversarial_term, critic_gradients, draw_batch, generator_terms, objective

TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=2, feedforward=8, dropout=0.0
)
PAPER = TrainConfig(network=TINY, steps1=0, steps2=10, batch1=2, batch2=2, perceptual="random")
OTHER = {"real": "cartoon", "cartoon": "real"}
DOMAINS = ("real", "cartoon")


@pytest.fixture(scope="module")
def perceptual():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PerceptualLoss(VGG19())


def ready(config=PAPER):
    """A state at the start of stage 2 whose two domains have different weights, and its batch."""
    rng = np.random.default_rng(0)
    state = new_state(config, "cpu")
    begin_stage2(state)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(1)
        for parameter in state.network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for parameter in state.critics.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    clips = {domain: ClipSet(tuple(rng.integers(0, 255, (2, 4, 64, 64, 3), dtype=np.uint8)), ()) for domain in DOMAINS}
    return state, draw_batch(state, clips, group=ProcessGroup())


# the transcription


def attention(module, queries, memory):
    """Multi-head attention in loops, with the softmax written out; tokens are rows."""
    width = queries.shape[1]
    size = width // module.heads
    q, k, v = (
        x @ module.in_proj_weight[i * width : (i + 1) * width].T + module.in_proj_bias[i * width : (i + 1) * width]
        for i, x in enumerate((queries, memory, memory))
    )
    heads = []
    for at in range(0, width, size):
        scores = torch.exp(q[:, at : at + size] @ k[:, at : at + size].T / size**0.5)
        heads.append(scores / scores.sum(1, keepdim=True) @ v[:, at : at + size])
    return torch.cat(heads, 1) @ module.out_proj.weight.T + module.out_proj.bias


def query(layer, descriptor, base):
    """T(F, p) for one image (section 3.1): cross attention to the one descriptor, self attention, feed-forward."""
    x = layer.norm1(base + attention(layer.multihead_attn, base, descriptor[None]))
    x = layer.norm2(x + attention(layer.self_attn, x, x))
    return layer.norm3(x + layer.linear2(layer.linear1(x).clamp(min=0)))


def transcribed(state, pairs, perceptual, *, lambda_m=20.0, lambda_per=10.0, synthetic=True):
    """Eq. 6 to 12 for a batch: every term by name, and their sum."""
    network, decoder = state.network, state.network.domain("real").dec

    def code(layer, image, domain):
        motion, base = network.domain(domain).enc2, network.domain(domain).dec.direction.weight
        return torch.stack([query(layer, descriptor, base) for descriptor in motion.vector(image)])

    def to_reference(image, domain):  # T_{s->r} is shared by the domains
        return code(decoder.transformerlayer_0, image, domain)

    def from_reference(image, domain):  # T_{r->d}
        return code(decoder.transformerlayer_1, image, domain)

    def generate(w, image, domain):  # G(T_B(w), E_a(x))
        own = network.domain(domain)
        return own.render(w, own.features(image))

    def adversarial(image, domain):  # Eq. 10
        return -torch.log(torch.sigmoid(state.critics[domain](image))).mean()

    found = {}
    for domain in DOMAINS:  # Eq. 3 and 11
        x_s, x_d = pairs[domain]
        x = generate(to_reference(x_s, domain) + from_reference(x_d, domain), x_s, domain)
        found[f"l1_{domain}"] = (x - x_d).abs().mean()
        found[f"perceptual_{domain}"] = lambda_per * perceptual(x, x_d)
        found[f"adversarial_rec_{domain}"] = adversarial(x, domain)
    for source in DOMAINS if synthetic else ():
        driver = OTHER[source]
        x_s, (x_a, x_b) = pairs[source][0], pairs[driver]
        w_sr, w_rs = to_reference(x_s, source), from_reference(x_s, source)  # Eq. 7
        w_ra, w_rb = from_reference(x_a, driver), from_reference(x_b, driver)
        w_sg = (w_sr + w_rs) + (w_rb - w_ra)  # Eq. 6
        x_g = generate(w_sg, x_s, source)
        w_rg = from_reference(x_g, source)  # Eq. 8
        found[f"analogy_{driver}_to_{source}"] = lambda_m * ((w_rg - w_rs) - (w_rb - w_ra)).abs().mean()  # Eq. 9
        found[f"adversarial_{source}"] = adversarial(x_g, source)
    return found, sum(found.values())  # Eq. 12


def computed(state, pairs, perceptual):
    terms, fakes = generator_terms(state.network, pairs, state.config, perceptual)
    if state.critics:
        terms["adversarial"] = state.config.adversarial * adversarial_term(state, fakes)
    return terms, fakes


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {}),
        ({"motion": 0.0}, {"lambda_m": 0.0}),
        ({"motion": 100.0}, {"lambda_m": 100.0}),
        ({"synthetic": False}, {"synthetic": False}),
    ],
    ids=["full", "lambda-0", "lambda-100", "no-analogy"],
)
def test_every_term_and_the_sum_are_those_of_the_paper(perceptual, change, expected):
    state, pairs = ready(replace(PAPER, **change))
    terms, _ = computed(state, pairs, perceptual)
    paper, total = transcribed(state, pairs, perceptual, **expected)
    for name, value in paper.items():
        if not name.startswith("adversarial") and (value or name in terms):
            torch.testing.assert_close(terms[name], value, rtol=1e-4, atol=1e-5)
    adversarial = sum(value for name, value in paper.items() if name.startswith("adversarial"))
    torch.testing.assert_close(terms["adversarial"], adversarial, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(objective(terms), total, rtol=1e-4, atol=1e-5)
    names = {name for name in terms if not name.startswith("size_")}
    assert names == {name for name, value in paper.items() if not name.startswith("adversarial") and value} | {
        "adversarial"
    }


def test_the_gradients_are_those_of_the_transcription(monkeypatch):
    """In float64, because L1 and leaky units have jumps in their gradients, over which float32 rounds."""
    state, pairs = ready(replace(PAPER, perceptual="none"))
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    state.network.double()
    state.critics.double().requires_grad_(False)
    pairs = {domain: tuple(images.double() for images in pair) for domain, pair in pairs.items()}
    parameters = [p for p in state.network.parameters() if p.requires_grad]

    def gradient(loss):
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        return torch.cat(
            [(torch.zeros_like(p) if g is None else g).flatten() for g, p in zip(found, parameters, strict=True)]
        )

    def paper(lambda_m):
        return gradient(transcribed(state, pairs, lambda *_: torch.zeros(()), lambda_m=lambda_m)[1])

    ours, right, wrong = gradient(objective(computed(state, pairs, None)[0])), paper(20.0), paper(20.01)
    assert (ours - right).norm() < 1e-9 * right.norm()
    assert (ours - wrong).norm() > 1e-6 * right.norm()


# which modules learn from which term

GENERATOR = ("input", "conv1", "convs", "to_rgbs", "to_flows", "sft", "mlp")
BACKWARD = ("transformerlayer", "transformerlayer_t", "transformerlayer_f", "latlayer1")


def parts(state):
    """The modules of the paper by name: per domain E_a, E_m, p, T_B, G; shared T_sr and T_rd; per domain D."""
    found = {"T_sr": [], "T_rd": []}
    for domain in DOMAINS:
        network = state.network.domain(domain)
        decoder = network.dec
        found[f"E_a {domain}"] = [*network.enc.parameters()]
        found[f"E_m {domain}"] = [*network.enc2.parameters()]
        found[f"p {domain}"] = [*decoder.direction.parameters()]
        found[f"T_B {domain}"] = [
            p for name in BACKWARD if hasattr(decoder, name) for p in getattr(decoder, name).parameters()
        ]
        found[f"G {domain}"] = [p for name in GENERATOR for p in getattr(decoder, name).parameters()]
        if state.critics:
            found[f"D {domain}"] = [*state.critics[domain].parameters()]
    found["T_sr"] = [*decoder.transformerlayer_0.parameters()]
    found["T_rd"] = [*decoder.transformerlayer_1.parameters()]
    own = {id(p) for some in found.values() for p in some}
    everything = {id(p) for p in (*state.network.parameters(), *state.critics.parameters())}
    assert own == everything, "every parameter belongs to a module of the paper"
    return {name: [p for p in some if p.requires_grad] for name, some in found.items()}


def reached(term, state):
    """The modules that have a gradient from a term."""
    named = parts(state)
    flat = [p for some in named.values() for p in some]
    gradients = dict(
        zip(map(id, flat), torch.autograd.grad(term, flat, allow_unused=True, retain_graph=True), strict=True)
    )
    return {
        name
        for name, some in named.items()
        if any(gradients[id(p)] is not None and gradients[id(p)].abs().max() > 0 for p in some)
    }


def of(domain, *names):
    return {f"{name} {domain}" for name in names}


SHARED = {"T_sr", "T_rd"}
WHOLE = ("E_a", "E_m", "p", "T_B", "G")


def learning(domain):
    """What learns from the reconstruction of a domain: its components and the shared query transformers (section 3.2)."""
    return of(domain, *WHOLE) | SHARED


@pytest.fixture(scope="module")
def full(perceptual):
    state, pairs = ready()
    state.critics.requires_grad_(False)
    terms, fakes = computed(state, pairs, perceptual)
    state.critics.requires_grad_(True)
    return state, pairs, terms, fakes


@pytest.mark.parametrize("domain", DOMAINS)
def test_reconstruction_teaches_its_domain_and_the_shared_query_transformers(full, domain):
    state, _, terms, fakes = full
    for term in (terms[f"l1_{domain}"], terms[f"perceptual_{domain}"]):
        assert reached(term, state) == learning(domain)
    (image,) = [fake for name, fake in fakes[:2] if name == domain]
    assert reached(state.critics[domain](image).sum(), state) == learning(domain) | of(domain, "D")


@pytest.mark.parametrize("source", DOMAINS)
def test_synthetic_images_teach_the_sources_domain_and_what_reads_the_motion_of_the_other(full, source):
    state, _, terms, fakes = full
    driver = OTHER[source]
    expected = learning(source) | of(driver, "E_m", "p")
    assert reached(terms[f"analogy_{driver}_to_{source}"], state) == expected
    (image,) = [fake for name, fake in fakes[2:] if name == source]
    assert reached(state.critics[source](image).sum(), state) == expected | of(source, "D")


def test_every_parameter_of_a_module_that_learns_has_a_gradient_but_those_known_to_be_inert(full):
    state, _, terms, _ = full
    inert = ("multihead_attn.in_proj_bias",)
    named = {name: p for name, p in state.network.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(objective(terms), [*named.values()], allow_unused=True, retain_graph=True)
    without = [
        name
        for name, g in zip(named, gradients, strict=True)
        if (g is None or not g.abs().max()) and not name.endswith(inert)
    ]
    assert without == []


def test_the_objective_of_the_generators_does_not_move_the_discriminators_nor_theirs_the_generators(perceptual):
    state, pairs = ready()
    state.critics.requires_grad_(False)
    terms, fakes = computed(state, pairs, perceptual)
    objective(terms).backward()
    assert all(p.grad is None for p in state.critics.parameters())
    before = [None if p.grad is None else p.grad.clone() for p in state.network.parameters()]
    critic_gradients(state, pairs, fakes, group=ProcessGroup())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in state.critics.parameters() if p.numel() > 1)
    for p, old in zip(state.network.parameters(), before, strict=True):
        assert p.grad is None if old is None else torch.equal(p.grad, old)


def test_discriminators_learn_from_reconstructed_and_synthetic_images_and_from_images_of_their_domain(perceptual):
    state, pairs = ready(replace(PAPER, r1=0.0))
    _, fakes = computed(state, pairs, perceptual)
    loss = critic_gradients(state, pairs, fakes, group=ProcessGroup())

    def probability(domain, image):
        return torch.sigmoid(state.critics[domain](image.detach()))

    expected = sum(
        -torch.log(probability(domain, pairs[domain][1])).mean() - torch.log(1 - probability(domain, fake)).mean()
        for domain, fake in fakes
    )
    assert [domain for domain, _ in fakes] == ["real", "cartoon", "cartoon", "real"]
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-4, atol=1e-5)


def ablated(name):
    changes = ABLATIONS[name]
    own = {key: value for key, value in changes.items() if "." not in key}
    inner = {key.removeprefix("network."): value for key, value in changes.items() if "." in key}
    return replace(PAPER, network=replace(TINY, **inner), perceptual="none", **own)


def test_without_analogy_no_domain_teaches_the_other_and_with_lambda_0_adversaries_still_do():
    """Section 4.4: w/o analogy is L_rec alone, which is not Eq. 12 with lambda_m = 0: that keeps L_adv of synthetic images."""
    totals = {}
    for name in ("no-analogy", "lambda-0"):
        state, pairs = ready(ablated(name))
        state.critics.requires_grad_(False)
        terms, fakes = computed(state, pairs, None)
        assert not [term for term in terms if term.startswith("analogy")]
        assert len(fakes) == {"no-analogy": 2, "lambda-0": 4}[name]
        totals[name] = objective(terms).item()
        of_cartoons = sum(state.critics["cartoon"](fake).sum() for domain, fake in fakes if domain == "cartoon")
        crosses = of("real", "E_m", "p") <= reached(of_cartoons, state)
        assert crosses == (name == "lambda-0")
    assert totals["lambda-0"] > totals["no-analogy"] + 0.1


@pytest.mark.parametrize("name", ["mlp", "no-backward", "no-sft"])
def test_ablated_networks_lack_a_module_and_all_others_learn_as_in_the_full_model(name):
    state, pairs = ready(ablated(name))
    terms, _ = computed(state, pairs, None)
    missing = of("real", "T_B") | of("cartoon", "T_B") if name == "no-backward" else set()
    assert {part for part, some in parts(state).items() if not some} == missing
    expected = (learning("cartoon") | of("real", "E_m", "p")) - missing
    assert reached(terms["analogy_real_to_cartoon"], state) == expected
    assert reached(terms["l1_real"], state) == learning("real") - missing
    decoder = state.network.domain("real").dec
    assert len(decoder.sft) == (name != "no-sft")
    assert hasattr(decoder.transformerlayer_0, "self_attn") == (name != "mlp")


def test_the_driving_side_of_the_analogy_can_be_held_fixed():
    state, pairs = ready(replace(PAPER, detach_driving=True, perceptual="none"))
    network = state.network
    sources = {domain: network.source(first, domain) for domain, (first, _) in pairs.items()}
    driving = {domain: network.motion(second, domain) for domain, (_, second) in pairs.items()}
    from toontalker.train.losses import analogy

    w_s, start, end = sources["cartoon"].from_reference, sources["real"].from_reference, driving["real"]
    fixed = analogy(w_s.detach() + 1.0, w_s, start, end, detach_driving=True)
    free = analogy(w_s.detach() + 1.0, w_s, start, end)
    assert reached(fixed, state) == of("cartoon", "E_m", "p") | {"T_rd"}
    assert reached(free, state) == of("cartoon", "E_m", "p") | of("real", "E_m", "p") | {"T_rd"}
