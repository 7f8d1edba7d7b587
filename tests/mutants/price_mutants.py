"""Lies about money: what sounds, tools, bands and services cost, what was served, and what nobody knows."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MONEY = "manus/messages/usage.py"
CARD = "manus/messages/policy.py"
ATTEMPT = "manus/actors/journey/attempt.py"
CATALOGUE = "manus/config/catalogue.py"
COSTS = "manus/config/costs.py"
RULES = "manus/config/price_rules.py"
CHAT = "manus/actors/codecs/openai_chat_extras.py"
ITEMS = "manus/actors/codecs/responses_output.py"
ANTHROPIC = "manus/actors/codecs/anthropic_usage.py"
ANTHROPIC_READ = "manus/actors/codecs/anthropic_decode.py"
BEDROCK_EMBED = "manus/actors/codecs/bedrock_embed.py"
TABLE = "manus/cli/usage_table.py"

CLASSES = "tests/messages/test_price_classes.py"
BOOKED = "tests/actors/test_router_prices.py"
LOOKUPS = "tests/config/test_catalogue.py"
OVERRIDES = "tests/config/test_price_overrides.py"
EXTRAS = "tests/codecs/test_billed_extras.py"
BILLS = "tests/bills/test_golden_bills.py"
EMBEDDED = "tests/codecs/test_bedrock_embed.py"
WRITTEN = "tests/cli/test_usage_table.py"

OWN_WORD = f"{BOOKED}::test_a_price_of_the_users_own_and_a_free_model_hold_at_every_service_tier"
SERVED = f"{BOOKED}::test_a_call_is_booked_at_the_price_of_the_service_tier_that_it_was_served_at"
BOUNDED = f"{CLASSES}::test_a_call_of_nothing_but_the_dearest_class_costs_its_bound"

PRICE_MUTANTS = [
    Mutant(
        name="sound is charged beside the text that it is a part of",
        file=MONEY,
        original="min(usage.audio_input, usage.input_uncached) * (self.audio_input - rates.input)",
        mutated="min(usage.audio_input, usage.input_uncached) * self.audio_input",
        killers=(
            f"{CLASSES}::test_sound_is_a_part_of_the_prompt_and_of_the_answer_at_rates_of_its_own",
            f"{BILLS}::test_recorded_bytes_cost_what_the_bill_says",
        ),
        rule="every token is charged once",
    ),
    Mutant(
        name="sound without a rate costs what text does",
        file=MONEY,
        original="            if self.audio_output is None:\n                return None\n",
        mutated="            if self.audio_output is None:\n                return extra\n",
        killers=(f"{CLASSES}::test_sound_without_a_rate_has_an_unknown_cost_and_not_that_of_text",),
        rule="an unknown price is unknown",
    ),
    Mutant(
        name="a tool without a rate is free",
        file=MONEY,
        original="rate = self.tool_calls.get(kind, others)",
        mutated="rate = self.tool_calls.get(kind, 0)",
        killers=(f"{CLASSES}::test_a_tool_without_a_rate_has_an_unknown_cost",),
        rule="an unknown price is unknown",
    ),
    Mutant(
        name="calls of a kind that nobody told are free",
        file=MONEY,
        original="        if unnamed > 0:",
        mutated="        if unnamed > 1_000:",
        killers=(f"{CLASSES}::test_a_tool_without_a_rate_has_an_unknown_cost",),
        rule="an unknown price is unknown",
    ),
    Mutant(
        name="halves are rounded up",
        file=MONEY,
        original="        if rest > _HALF or (rest == _HALF and cost & 1):",
        mutated="        if rest >= _HALF:",
        killers=(f"{CLASSES}::test_exact_halves_go_to_the_even_neighbour",),
        rule="sums are rounded once, half to even",
    ),
    Mutant(
        name="the bound of an answer forgets that sound is dearer",
        file=MONEY,
        original="_dearest_input(self, self) + output_tokens * max(self.output, self.audio_output or 0)",
        mutated="_dearest_input(self, self) + output_tokens * self.output",
        killers=(BOUNDED,),
        rule="the bound of a call is never below what it can cost",
    ),
    Mutant(
        name="the bound of a prompt forgets that sound is dearer",
        file=MONEY,
        original="(rates.cache_read, rates.cache_write_short, rates.cache_write_long, price.audio_input)",
        mutated="(rates.cache_read, rates.cache_write_short, rates.cache_write_long)",
        killers=(BOUNDED,),
        rule="the bound of a call is never below what it can cost",
    ),
    Mutant(
        name="the bound takes every tool for the cheapest",
        file=MONEY,
        original="server_tool_calls * max(self.tool_calls.values())",
        mutated="server_tool_calls * min(self.tool_calls.values())",
        killers=(BOUNDED,),
        rule="the bound of a call is never below what it can cost",
    ),
    Mutant(
        name="writing for an hour costs what the prompt does where no rate is known",
        file=MONEY,
        original="long = rates.cache_write_short if rates.cache_write_long is None else rates.cache_write_long",
        mutated="long = rates.cache_write_long",
        killers=(f"{CLASSES}::test_writing_for_an_hour_falls_back_to_writing_for_minutes",),
        rule="writing for an hour is never cheaper than for minutes",
    ),
    Mutant(
        name="calls of tools lose their kinds when they are added",
        file=MONEY,
        original="            server_tools=_sum_of_kinds(self.server_tools, other.server_tools),\n",
        mutated="            server_tools=self.server_tools,\n",
        killers=(f"{CLASSES}::test_calls_of_tools_add_up_by_kind",),
        rule="sums keep every call",
    ),
    Mutant(
        name="a call costs what was asked for and not what was served",
        file=ATTEMPT,
        original='        if served is None or served == "auto":',
        mutated='        if served != "":',
        killers=(SERVED,),
        rule="the price is that of the tier that served",
    ),
    Mutant(
        name="`auto` is taken for the usual service",
        file=ATTEMPT,
        original='        if served is None or served == "auto":',
        mutated="        if served is None:",
        killers=(SERVED,),
        rule="`auto` is no word on what was served",
    ),
    Mutant(
        name="a service that nobody has priced costs what was reserved",
        file=ATTEMPT,
        original="return None if price is self.price or price == self.price else price",
        mutated="return price if price.known else None",
        killers=(f"{BOOKED}::test_a_service_tier_that_nobody_has_priced_costs_nobody_knows_what",),
        rule="an unknown price is unknown",
    ),
    Mutant(
        name="a price of one's own is unknown at other services",
        file=CARD,
        original="return UNKNOWN_PRICE if self.service_prices or CATALOGUE in self.price.version else self.price",
        mutated="return UNKNOWN_PRICE",
        killers=(OWN_WORD,),
        rule="a configured price is taken at its word",
    ),
    Mutant(
        name="a service of an area costs what it costs elsewhere",
        file=CATALOGUE,
        original='prefix = f"{area}:" if area in row.areas else ""',
        mutated='prefix = ""',
        killers=(f"{LOOKUPS}::test_an_area_has_its_own_prices_and_those_of_its_own_services",),
        rule="an area has prices of its own",
    ),
    Mutant(
        name="an area that is not listed costs what the model does",
        file=CATALOGUE,
        original="row.areas.get(place.area) if place.area else row.price",
        mutated="row.areas.get(place.area, row.price)",
        killers=(f"{LOOKUPS}::test_an_area_has_its_own_prices_and_those_of_its_own_services",),
        rule="an unknown price is unknown",
    ),
    Mutant(
        name="bands of the catalogue stay beside a part of one's own",
        file=COSTS,
        original="(known, tiers=tiers, version=version, **tokens, **sounds, **beside)",
        mutated="(known, version=version, **tokens, **sounds, **beside)",
        killers=(f"{OVERRIDES}::test_a_part_of_the_tokens_price_takes_bands_and_services_of_the_catalogue_away",),
        rule="what is configured is not contradicted",
    ),
    Mutant(
        name="a fee of nothing is no fee",
        file=COSTS,
        original="known.per_request if given is None else nano_usd(given)",
        mutated="nano_usd(given) if given else known.per_request",
        killers=(f"{OVERRIDES}::test_a_fee_of_nothing_takes_the_catalogues_fee_away",),
        rule="zero is free, and not missing",
    ),
    Mutant(
        name="bands may stand in any order",
        file=RULES,
        original="        if here <= before:",
        mutated="        if here < 0:",
        killers=(f"{OVERRIDES}::test_each_mistake_is_one_error_with_its_field_and_line",),
        rule="each band begins where the one before it ends",
    ),
    Mutant(
        name="half a price is taken in silence",
        file=RULES,
        original="        if not priced(card, model, kind, entry).price.known:\n            missing",
        mutated="        if kind is None:\n            missing",
        killers=(f"{OVERRIDES}::test_each_mistake_is_one_error_with_its_field_and_line",),
        rule="a price of which half is missing is no price",
    ),
    Mutant(
        name="sound beside the prompt is not counted",
        file=CHAT,
        original="    if audio and usage.total_tokens == prompt + completion + audio:\n",
        mutated="    if audio and usage.total_tokens == -1:\n",
        killers=(f"{EXTRAS}::test_sound_that_a_vendor_counts_beside_the_prompt_is_added_to_it",),
        rule="every token is counted once",
    ),
    Mutant(
        name="more of a prompt was cached than there was of it",
        file=CHAT,
        original="        cached = min(cached, prompt)  # what",
        mutated="        cached = max(cached, 0)  # what",
        killers=(f"{EXTRAS}::test_no_more_of_a_prompt_was_cached_than_there_was_of_it",),
        rule="every token is counted once",
    ),
    Mutant(
        name="a gateway's own searches are not on the bill",
        file=CHAT,
        original='        tally.add("web_search", searches)\n',
        mutated="",
        killers=(
            f"{EXTRAS}::test_a_gateway_tells_what_it_ran_itself",
            f"{BILLS}::test_recorded_bytes_cost_what_the_bill_says",
        ),
        rule="what the vendor ran is on the bill",
    ),
    Mutant(
        name="a page that is opened is a search",
        file=ITEMS,
        original='        return "web_page"\n',
        mutated='        return "web_search"\n',
        killers=(f"{EXTRAS}::test_searches_of_the_web_and_pages_that_were_opened_are_two_things",),
        rule="only searches are on the bill",
    ),
    Mutant(
        name="fast answers cost what slow ones do",
        file=ANTHROPIC,
        original='        if known.speed == "fast":',
        mutated='        if known.speed == "faster":',
        killers=(f"{EXTRAS}::test_speed_and_place_are_part_of_what_an_answer_was_served_at",),
        rule="the price is that of the service that served",
    ),
    Mutant(
        name="answers from one region cost what any do",
        file=ANTHROPIC,
        original="        if known.inference_geo not in _ANYWHERE:",
        mutated="        if known.inference_geo == _ANYWHERE:",
        killers=(f"{EXTRAS}::test_speed_and_place_are_part_of_what_an_answer_was_served_at",),
        rule="the price is that of the service that served",
    ),
    Mutant(
        name="an advisor's tokens cost what the model's own do",
        file=ANTHROPIC,
        original="        if others:\n",
        mutated="        if len(others) > 9:\n",
        killers=(
            f"{EXTRAS}::test_speed_and_place_are_part_of_what_an_answer_was_served_at",
            f"{BILLS}::test_recorded_bytes_cost_what_the_bill_says",
        ),
        rule="tokens of a second model have its price",
    ),
    Mutant(
        name="what an answer was served at is read before it is told",
        file=ANTHROPIC_READ,
        original="reported = None if piece.usage is None else self._usage.take(piece.usage, final=True)\n"
        "                if piece.delta is not None:\n"
        "                    self._note_stop(piece.delta)\n",
        mutated="if piece.delta is not None:\n"
        "                    self._note_stop(piece.delta)\n"
        "                reported = None if piece.usage is None else self._usage.take(piece.usage, final=True)\n",
        killers=(f"{EXTRAS}::test_what_an_answer_was_served_at_may_be_told_with_its_last_counts",),
        rule="the price is that of the service that served",
    ),
    Mutant(
        name="tokens that only a header counts are not counted",
        file=BEDROCK_EMBED,
        original="            partial(_read, _dialect_of(model, options), _counted(headers)),\n",
        mutated="            partial(_read, _dialect_of(model, options), None),\n",
        killers=(f"{EMBEDDED}::test_tokens_that_only_a_header_counts_are_counted",),
        rule="what the vendor counts is counted",
    ),
    Mutant(
        name="a call whose price turned out unknown costs a budget nothing",
        file="manus/actors/admission/budgets.py",
        original="            return 0, need\n",
        mutated="            return 0, 0\n",
        killers=(
            "tests/actors/admission/test_budgets.py"
            "::test_a_call_whose_price_turned_out_unknown_is_in_doubt_of_its_bound",
        ),
        rule="an unknown price is unknown",
    ),
    Mutant(
        name="what nobody has priced is written as zero",
        file=TABLE,
        original='if line.cost_nano_usd else "unknown"',
        mutated="if True else None",
        killers=(
            f"{WRITTEN}::test_what_is_cached_thought_estimated_unpriced_open_or_in_doubt_has_its_column",
            "tests/face/test_unknown_prices.py::test_reports_count_what_is_unpriced_and_leave_it_out_of_costs",
        ),
        rule="an unknown price is unknown",
    ),
]
