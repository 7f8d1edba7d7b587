"""Lies about what a call may use: bounds that do not hold, estimates that learn wrongly, counts called exact."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BOUND = "manus/actors/estimates/bound.py"
CALIBRATION = "manus/actors/estimates/calibration.py"
COUNTING = "manus/actors/estimates/counting.py"
FAMILIES = "manus/actors/estimates/families.py"
LEARNING = "manus/actors/journey/learning.py"
MEASURE = "manus/actors/estimates/measure.py"
PICTURES = "manus/actors/estimates/picture_tokens.py"
TEXT = "manus/actors/estimates/text.py"
TOKENIZER = "manus/actors/estimates/tokenizer.py"
ATTEMPTS = "manus/actors/journey/attempts.py"
VALIDATE = "manus/actors/validate.py"

T_BOUND = "tests/actors/estimates/test_bound.py"
T_CALIBRATION = "tests/actors/estimates/test_calibration.py"
T_COUNTING = "tests/actors/estimates/test_counting.py"
T_PICTURES = "tests/actors/estimates/test_picture_tokens.py"
T_TEXT = "tests/actors/estimates/test_text.py"
T_ROUTER = "tests/actors/test_router_estimates.py"
T_FACE = "tests/face/test_token_counts.py"
T_VALIDATE = "tests/actors/test_validate.py"

ESTIMATE_MUTANTS = [
    Mutant(
        name="a character is a byte",
        file=TEXT,
        original='    return len(text.encode("utf-8", "surrogatepass"))\n',
        mutated="    return len(text)\n",
        killers=(f"{T_TEXT}::test_no_text_has_more_tokens_than_its_bound",),
        rule="the bound holds",
    ),
    Mutant(
        name="a long text's pieces pass for all of it",
        file=TEXT,
        original="    return _weigh(data, len(data) == len(sample)) * len(text) / len(sample), bound_tokens(text)\n",
        mutated="    return _weigh(data, len(data) == len(sample)), bound_tokens(text)\n",
        killers=(f"{T_TEXT}::test_a_long_text_is_estimated_from_pieces_of_it",),
        rule="estimates are near",
    ),
    Mutant(
        name="a file that cannot be read holds nothing",
        file=BOUND,
        original="    if measured.documents or (extra",
        mutated="    if (extra",
        killers=(f"{T_BOUND}::test_what_bytes_say_nothing_about_is_bounded_by_the_window",),
        rule="the bound holds",
    ),
    Mutant(
        name="nobody reads a prompt twice",
        file=BOUND,
        original="    if measured.has_form and not family.hosted:\n",
        mutated="    if measured.has_form and False:\n",
        killers=(f"{T_BOUND}::test_only_what_a_local_server_may_serve_is_feared_to_read_a_prompt_twice",),
        rule="the bound holds",
    ),
    Mutant(
        name="everybody is feared to read a prompt twice",
        file=BOUND,
        original="    if measured.has_form and not family.hosted:\n",
        mutated="    if measured.has_form:\n",
        killers=(f"{T_BOUND}::test_only_what_a_local_server_may_serve_is_feared_to_read_a_prompt_twice",),
        rule="no more is set aside than has to be",
    ),
    Mutant(
        name="the vendor's tools are never run",
        file=BOUND,
        original="        server_tool_calls = sum(_server_tool_calls(fields) for fields in extra)\n",
        mutated="        server_tool_calls = 0\n",
        killers=(f"{T_BOUND}::test_vendor_tools_are_bounded_by_their_caps_or_by_a_large_number",),
        rule="the bound holds",
    ),
    Mutant(
        name="several answers are one",
        file=BOUND,
        original="    return (cap + OUTPUT_SLACK_TOKENS) * answers\n",
        mutated="    return cap + OUTPUT_SLACK_TOKENS\n",
        killers=(f"{T_BOUND}::test_the_answer_is_bounded_by_whichever_cap_holds",),
        rule="the bound holds",
    ),
    Mutant(
        name="a prompt may be longer than its model takes",
        file=BOUND,
        original="        prompt = min(prompt, most)\n",
        mutated="        pass\n",
        killers=(f"{T_BOUND}::test_no_prompt_is_longer_than_its_model_takes",),
        rule="no more is set aside than has to be",
    ),
    Mutant(
        name="every picture is like OpenAI's",
        file=PICTURES,
        original="    return PICTURE_TOKENS_MAX\n",
        mutated="    return 1445\n",
        killers=(f"{T_BOUND}::test_a_picture_is_bounded_by_its_vendors_cap_where_there_is_one",),
        rule="the bound holds",
    ),
    Mutant(
        name="small pictures are not enlarged",
        file=PICTURES,
        original="    scale = max(1.0, side_min / shortest)\n",
        mutated="    scale = 1.0\n",
        killers=(f"{T_PICTURES}::test_nova_enlarges_small_pictures",),
        rule="estimates are near",
    ),
    Mutant(
        name="bytes that are no text are text",
        file=MEASURE,
        original="            self.documents += 1\n",
        mutated="            self.documents += 0\n",
        killers=(f"{T_BOUND}::test_a_document_that_is_text_is_bounded_by_its_bytes",),
        rule="the bound holds",
    ),
    Mutant(
        name="what is learnt of tools is held of plain prompts",
        file=CALIBRATION,
        original="    return 1 if measured.tools or measured.calls or measured.form_bytes else 0\n",
        mutated="    return 0\n",
        killers=(f"{T_CALIBRATION}::test_prompts_with_tools_are_learnt_of_by_themselves",),
        rule="one kind of prompt teaches that kind",
    ),
    Mutant(
        name="one outlier is believed",
        file=CALIBRATION,
        original="            told = max(expected / SURPRISE, min(expected * SURPRISE, told))\n",
        mutated="            told = float(reported)\n",
        killers=(f"{T_CALIBRATION}::test_a_few_calls_that_count_something_else_move_it_little",),
        rule="calibration is robust",
    ),
    Mutant(
        name="a hidden prompt grows with what is seen",
        file=CALIBRATION,
        original="        return max(NEIGHBOUR_MIN, min(NEIGHBOUR_MAX, ratio))\n",
        mutated="        return ratio\n",
        killers=(f"{T_CALIBRATION}::test_a_hidden_prompt_seen_on_short_prompts_is_not_multiplied_for_long_ones",),
        rule="calibration is robust",
    ),
    Mutant(
        name="models are remembered for ever",
        file=CALIBRATION,
        original="            if len(self._models) > MODELS_MAX:\n",
        mutated="            if len(self._models) > 2 * MODELS_MAX:\n",
        killers=(f"{T_CALIBRATION}::test_no_more_models_are_remembered_than_have_room_and_the_oldest_goes",),
        rule="memory is bounded",
    ),
    Mutant(
        name="one entry's gateway is every entry's",
        file=CALIBRATION,
        original="        key = (provider, model)\n",
        mutated='        key = ("", model)\n',
        killers=(f"{T_CALIBRATION}::test_models_are_told_apart_and_start_from_their_family",),
        rule="each deployment is learnt of by itself",
    ),
    Mutant(
        name="cached tokens are no part of a prompt",
        file=LEARNING,
        original="measured, usage.input_total)",
        mutated="measured, usage.input_uncached)",
        killers=(f"{T_ROUTER}::test_the_next_estimate_is_nearer_to_the_vendors_count",),
        rule="calibration compares like with like",
    ),
    Mutant(
        name="thinking passes for text",
        file=LEARNING,
        original="    shown = usage.output - usage.reasoning\n",
        mutated="    shown = usage.output\n",
        killers=(f"{T_ROUTER}::test_thinking_is_not_taken_for_a_dense_vocabulary",),
        rule="calibration compares like with like",
    ),
    Mutant(
        name="an estimate may be above what was set aside",
        file=ATTEMPTS,
        original="        attempt.input_tokens, attempt.output_max = estimate.input_uncached, bound.output\n",
        mutated="        attempt.output_max = bound.output\n",
        killers=(f"{T_ROUTER}::test_no_estimate_in_a_vendors_place_is_more_than_was_set_aside",),
        rule="P7: nothing is settled above its bound by our own guess",
    ),
    Mutant(
        name="a count with tools is called exact",
        file=COUNTING,
        original="    extras = measured.tools or ",
        mutated="    extras = ",
        killers=(f"{T_COUNTING}::test_what_vendors_rewrite_is_never_called_exact",),
        rule="exact means exact",
    ),
    Mutant(
        name="whoever speaks a vocabulary counts like its maker",
        file=COUNTING,
        original="    return family.vocabulary is not None and family.hosted\n",
        mutated="    return family.vocabulary is not None\n",
        killers=(f"{T_COUNTING}::test_no_other_vendors_count_is_called_exact",),
        rule="exact means exact",
    ),
    Mutant(
        name="the template is forgotten",
        file=FAMILIES,
        original="    base: int = 3\n",
        mutated="    base: int = 0\n",
        killers=(f"{T_FACE}::test_a_prompt_of_text_is_counted_as_its_vendor_counts_it",),
        rule="exact means exact",
    ),
    Mutant(
        name="texts of any length are counted",
        file=TOKENIZER,
        original="    if len(text) > EXACT_CHARS_MAX:\n",
        mutated="    if False:\n",
        killers=(f"{T_COUNTING}::test_no_text_is_counted_past_the_cap",),
        rule="exact counting is capped",
    ),
    Mutant(
        name="clean text is looked at no more than dirty text",
        file=VALIDATE,
        original='    return text.isascii() and "\\0" not in text\n',
        mutated="    return text.isascii()\n",
        killers=(T_VALIDATE,),
        rule="no NUL reaches a vendor",
    ),
    Mutant(
        name="a budget for thinking is never out of range",
        file=VALIDATE,
        original="_AS_THE_VENDOR_DOES and budget is None and",
        mutated="_AS_THE_VENDOR_DOES and",
        killers=(T_VALIDATE,),
        rule="numbers are checked",
    ),
]
