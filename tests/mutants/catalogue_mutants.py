"""Lies about models: what they cost, what they can do, and what is done with a request that does not fit one."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MONEY = "manus/messages/usage.py"
CARD = "manus/messages/policy.py"
CATALOGUE = "manus/config/catalogue.py"
CARDS = "manus/config/model_cards.py"
SHAPING = "manus/actors/shaping.py"
FITNESS = "manus/actors/fitness.py"
DIALECT = "manus/actors/dialect.py"
PLANS = "manus/actors/routing/entries.py"

TIERS = "tests/messages/test_price_tiers.py"
LOOKUPS = "tests/config/test_catalogue.py"
KNOWN = "tests/config/test_model_cards.py"
SHAPED = "tests/actors/test_shaping.py"
FITTING = "tests/actors/test_fitness.py"
WIRED = "tests/actors/test_dialect.py"
BOOKED = "tests/actors/test_router_prices.py"
ROUTED = "tests/actors/test_routing.py"

CATALOGUE_MUTANTS = [
    Mutant(
        name="a long prompt begins at its threshold",
        file=MONEY,
        original="                if prompt > tier.above_tokens:",
        mutated="                if prompt >= tier.above_tokens:",
        killers=(f"{TIERS}::test_a_call_costs_the_rates_of_the_band_its_whole_prompt_falls_in",),
        rule="a tier holds from one token above its threshold",
    ),
    Mutant(
        name="cached tokens do not make a prompt long",
        file=MONEY,
        original="            prompt = usage.input_total\n",
        mutated="            prompt = usage.input_uncached\n",
        killers=(f"{TIERS}::test_a_call_costs_the_rates_of_the_band_its_whole_prompt_falls_in",),
        rule="the whole prompt decides the band",
    ),
    Mutant(
        name="a bound forgets the dearer bands",
        file=MONEY,
        original="            if input_tokens > tier.above_tokens:\n                answer",
        mutated="            if input_tokens < 0:\n                answer",
        killers=(f"{TIERS}::test_no_call_within_the_bound_costs_more_than_the_bound_does",),
        rule="the bound of a call is never below what it can cost",
    ),
    Mutant(
        name="a service tier without a price costs the list price",
        file=CARD,
        original="return UNKNOWN_PRICE if self.service_prices or CATALOGUE in self.price.version else self.price",
        mutated="return self.price",
        killers=(f"{BOOKED}::test_a_service_tier_that_nobody_has_priced_costs_nobody_knows_what",),
        rule="an unknown price is unknown",
    ),
    Mutant(
        name="a profile costs what its model does",
        file=CATALOGUE,
        original="row.areas.get(area, row.price)",
        mutated="row.price",
        killers=(f"{LOOKUPS}::test_a_profile_has_the_price_of_its_region",),
        rule="the prefix of an inference profile chooses the price",
    ),
    Mutant(
        name="a familiar beginning is a model's name",
        file=CATALOGUE,
        original='            undated = _DATE.sub("", name)\n',
        mutated='            undated = next((known for known in names if name.startswith(known)), "")\n',
        killers=(f"{LOOKUPS}::test_what_only_looks_like_a_model_is_not_found",),
        rule="names are never matched by likeness",
    ),
    Mutant(
        name="a host with a surcharge has the list price",
        file=CATALOGUE,
        original="        if found is None or place.priced:",
        mutated="        if True:",
        killers=(f"{LOOKUPS}::test_a_host_with_a_surcharge_has_capabilities_and_no_price",),
        rule="a price holds only where it was listed for",
    ),
    Mutant(
        name="a deployment is believed to be what it is called",
        file=CARDS,
        original='    if kind == "azure" and base is None:',
        mutated="    if False:",
        killers=(f"{KNOWN}::test_a_deployment_without_a_base_has_abilities_and_no_price",),
        rule="the price of a deployment needs its base",
    ),
    Mutant(
        name="a temperature of zero is none",
        file=SHAPING,
        original="if getattr(sampling, field) not in (None, ())]",
        mutated="if getattr(sampling, field)]",
        killers=(f"{SHAPED}::test_a_temperature_of_zero_is_left_out_like_any_other",),
        rule="what a model rejects is never sent",
    ),
    Mutant(
        name="who asks for thought is given none",
        file=SHAPING,
        original='for effort in taken if effort != "off"]',
        mutated="for effort in taken]",
        killers=(f"{SHAPED}::test_an_effort_becomes_the_nearest_that_is_taken_and_never_none",),
        rule="an effort is never turned off by adapting it",
    ),
    Mutant(
        name="the entry's word comes before the request's",
        file=SHAPING,
        original='(request.on_unsupported or on_unsupported) == "refuse"',
        mutated='on_unsupported == "refuse"',
        killers=(f"{SHAPED}::test_the_requests_own_word_comes_before_the_entrys",),
        rule="a request may be stricter or laxer than its entry",
    ),
    Mutant(
        name="what was left out is not told",
        file=DIALECT,
        original="warnings=(*shaped.warnings, *encoded.warnings)",
        mutated="warnings=encoded.warnings",
        killers=(f"{WIRED}::test_no_wire_carries_what_a_model_rejects_and_each_says_so",),
        rule="what the caller asked for and does not get is said",
    ),
    Mutant(
        name="what only a codec leaves out is never refused",
        file=DIALECT,
        original='        if self._on_unsupported == "refuse":',
        mutated="        if False:",
        killers=(f"{WIRED}::test_what_only_the_codec_knows_is_refused_alike",),
        rule="one policy holds for all that is left out",
    ),
    Mutant(
        name="unfit requests are sent",
        file=DIALECT,
        original="        refusal = unfit(self._request, card)\n",
        mutated="        refusal = None\n",
        killers=(f"{WIRED}::test_what_a_model_cannot_be_sent_fails_by_field_and_may_go_elsewhere",),
        rule="what a model cannot be sent fails before a byte leaves",
    ),
    Mutant(
        name="pictures among results are not counted",
        file=FITNESS,
        original='images.extend((f"{where}.content[{at}]", piece) for at, piece in held if isinstance(piece, Image))',
        mutated="images.extend([][:0])",
        killers=(f"{FITTING}::test_too_many_pictures_are_counted_wherever_they_stand",),
        rule="an API counts every picture of a request",
    ),
    Mutant(
        name="a model that is not listed is a stranger",
        file=PLANS,
        original="return provider.unlisted(model) if",
        mutated="return ModelCard(name=model) if",
        killers=(f"{ROUTED}::test_a_model_that_is_not_listed_is_judged_by_what_is_known_of_it",),
        rule="what is known of a model does not depend on its being listed",
    ),
]
