"""Lies about OpenAI's two wires and Azure: what is sent over which, what comes back, and what its errors mean."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CHOICE = "manus/actors/wire_choice.py"
WRITTEN = "manus/actors/codecs/responses_encode.py"
ITEMS = "manus/actors/codecs/responses_items.py"
OUTPUT = "manus/actors/codecs/responses_output.py"
DECODED = "manus/actors/codecs/responses_decode.py"
SHARED = "manus/actors/codecs/openai_shared.py"
MODELS = "manus/actors/codecs/openai_models.py"
MESSAGES = "manus/actors/codecs/openai_chat_messages.py"
ERRORS = "manus/actors/codecs/openai_errors.py"
AZURE = "manus/actors/codecs/azure.py"
AZURE_PATHS = "manus/actors/codecs/azure_paths.py"
AZURE_ERRORS = "manus/actors/codecs/azure_errors.py"

CHOSEN = "tests/actors/test_wire_choice.py"
REQUESTS = "tests/codecs/test_responses_encode.py"
CONVERSATIONS = "tests/codecs/test_responses_items.py"
ANSWERS = "tests/codecs/test_responses_decode.py"
ENDS = "tests/codecs/test_responses_ends.py"
FAMILIES = "tests/codecs/test_openai_families.py"
AT_AZURE = "tests/codecs/test_azure.py"

OPENAI_MUTANTS = [
    Mutant(
        name="answers are left at the server",
        file=WRITTEN,
        original='    body["store"] = False\n',
        mutated='    body["store"] = True\n',
        killers=(f"{REQUESTS}::test_nothing_is_left_at_the_server",),
        rule="nothing is stored at the vendor",
    ),
    Mutant(
        name="tools do not say that they are not strict",
        file=WRITTEN,
        original='    written["strict"] = tool.strict\n',
        mutated='    if tool.strict:\n        written["strict"] = True\n',
        killers=(f"{REQUESTS}::test_tools_are_flat_and_say_whether_they_are_strict",),
        rule="an absent `strict` is true on this wire",
    ),
    Mutant(
        name="encrypted thinking is asked of everybody",
        file=WRITTEN,
        original="    if thinks:\n",
        mutated="    if True:\n",
        killers=(f"{REQUESTS}::test_thinking_is_asked_for_and_asked_back_where_the_model_thinks",),
        rule="a model that does not think refuses to be asked for its thinking",
    ),
    Mutant(
        name="a small bound goes out as it is",
        file=WRITTEN,
        original='        body["max_output_tokens"] = max(request.max_output_tokens, OUTPUT_TOKENS_MIN)\n',
        mutated='        body["max_output_tokens"] = request.max_output_tokens\n',
        killers=(f"{REQUESTS}::test_a_bound_under_the_wires_minimum_is_raised_with_a_warning",),
        rule="the wire refuses a bound under 16",
    ),
    Mutant(
        name="json in the instructions counts",
        file=WRITTEN,
        original="    return plain and not marked and not counts\n",
        mutated="    return plain and not marked\n",
        killers=(f"{REQUESTS}::test_json_is_asked_for_in_words_and_where_they_count",),
        rule="the word JSON has to stand in the input",
    ),
    Mutant(
        name="thinking goes back though it led to nothing",
        file=ITEMS,
        original="        self._end_message()\n        return self._items\n",
        mutated="        self._end_message()\n        return [*self._items, *self._thoughts]\n",
        killers=(f"{CONVERSATIONS}::test_thinking_that_led_to_nothing_is_left_out",),
        rule="thinking without the item after it is refused",
    ),
    Mutant(
        name="unsealed thinking goes back by its id",
        file=ITEMS,
        original="                if part.encrypted is not None:\n",
        mutated="                if part.encrypted is not None or part.id is not None:\n",
        killers=(f"{CONVERSATIONS}::test_thinking_that_would_be_refused_is_left_out",),
        rule="an id alone cannot be looked up",
    ),
    Mutant(
        name="thinking comes behind what it led to",
        file=ITEMS,
        original="        self._items.append(item)\n",
        mutated="        self._items.insert(0, item)\n",
        killers=(f"{CONVERSATIONS}::test_thinking_goes_back_sealed_and_before_what_it_led_to",),
        rule="thinking stands before its item",
    ),
    Mutant(
        name="a replayed call names itself without its thinking",
        file=ITEMS,
        original='    return [{key: value for key, value in item.items() if key != "id"} for item in kept]\n',
        mutated="    return kept\n",
        killers=(f"{CONVERSATIONS}::test_a_replayed_turn_does_not_name_what_only_a_stored_answer_could",),
        rule="an item that names itself is refused without its thinking",
    ),
    Mutant(
        name="what came in fragments is said again",
        file=OUTPUT,
        original="            if known is None and text and not self._writer.done:\n",
        mutated="            if text and not self._writer.done:\n",
        killers=(f"{ANSWERS}::test_items_that_only_the_closing_event_has_are_not_lost",),
        rule="nothing is said twice",
    ),
    Mutant(
        name="the closing list is not read",
        file=OUTPUT,
        original="            self.complete(place, raw)\n        if not",
        mutated="            pass\n        if not",
        killers=(f"{ANSWERS}::test_items_that_only_the_closing_event_has_are_not_lost",),
        rule="items that only the terminal event has are part of the answer",
    ),
    Mutant(
        name="a call goes by its items id",
        file=OUTPUT,
        original="                self._tools.complete(number, item.call_id or item.id, item.name, item.arguments)\n",
        mutated="                self._tools.complete(number, item.id or item.call_id, item.name, item.arguments)\n",
        killers=(f"{ANSWERS}::test_a_call_is_answered_by_its_call_id_and_one_without_gets_the_items",),
        rule="a call is answered by its call id",
    ),
    Mutant(
        name="the marker of another wire ends an answer",
        file=DECODED,
        original="                return  # of servers",
        mutated='                self._writer.end("marker")\n                return  # of servers',
        killers=(f"{ENDS}::test_an_answer_without_its_terminal_event_is_incomplete",),
        rule="only a terminal event is evidence",
    ),
    Mutant(
        name="a failed answer is a success",
        file=DECODED,
        original='        if response.status == "failed" or bytes(response.error) != b"null":\n',
        mutated='        if response.status == "failed" and bytes(response.error) == b"null":\n',
        killers=(f"{ENDS}::test_errors_inside_a_success_are_failures_of_their_kind",),
        rule="failures come at HTTP 200 too",
    ),
    Mutant(
        name="cached tokens are counted twice",
        file=DECODED,
        original="            input_uncached=max(0, given - cached - written),\n",
        mutated="            input_uncached=given,\n",
        killers=(f"{ANSWERS}::test_a_document_gives_all_that_it_says",),
        rule="cached tokens are a part of the input",
    ),
    Mutant(
        name="a thinking model with tools stays on chat",
        file=CHOICE,
        original='    return api == "responses" and not _is_for_chat_alone(request)\n',
        mutated="    return False\n",
        killers=(f"{CHOSEN}::test_the_models_name_decides",),
        rule="newer models take tools with thinking over Responses alone",
    ),
    Mutant(
        name="the name overrules the card",
        file=CHOICE,
        original="    if card is not None and card.responses_api is not None:\n",
        mutated="    if card is not None and card.responses_api is True:\n",
        killers=(f"{CHOSEN}::test_the_card_comes_before_the_name",),
        rule="the card comes before the name",
    ),
    Mutant(
        name="azures classic api is assumed to have responses",
        file=CHOICE,
        original="    if is_classic(options):\n        return False",
        mutated="    if False:\n        return False",
        killers=(f"{CHOSEN}::test_azures_classic_api_is_asked_for_responses_only_where_somebody_says_so",),
        rule="the classic API has Responses only in previews",
    ),
    Mutant(
        name="who asks for thought gets none",
        file=MODELS,
        original='if effort != "off" or wanted == "off"]\n',
        mutated="]\n",
        killers=(f"{FAMILIES}::test_effort_is_the_nearest_that_the_family_takes",),
        rule="who asks for thought is never given none",
    ),
    Mutant(
        name="mistral gets ids of any shape",
        file=MESSAGES,
        original="    if _MISTRAL.match(model):\n",
        mutated="    if False:\n",
        killers=(f"{FAMILIES}::test_models_of_mistral_get_ids_of_the_only_shape_they_take",),
        rule="Mistral takes ids of nine characters",
    ),
    Mutant(
        name="the cache key tells whose conversation it is",
        file=SHARED,
        original='        written["prompt_cache_key"] = digest[:CACHE_KEY_CHARS]\n',
        mutated='        written["prompt_cache_key"] = request.conversation_id + digest[:0]\n',
        killers=(f"{FAMILIES}::test_a_conversation_is_led_to_its_cache_without_being_named",),
        rule="the vendor is not told our names of conversations",
    ),
    Mutant(
        name="an item that is not kept is a missing model",
        file=ERRORS,
        original='    if status == 404 and (facts.param or "").startswith("input"):\n',
        mutated="    if False:\n",
        killers=(f"{ENDS}::test_http_errors_are_told_as_what_they_are",),
        rule="another deployment does not have the item either",
    ),
    Mutant(
        name="a deployments name goes out unencoded",
        file=AZURE_PATHS,
        original="{quote(deployment, safe='')}",
        mutated="{deployment}",
        killers=(f"{AT_AZURE}::test_where_things_are",),
        rule="a name in a path is percent-encoded",
    ),
    Mutant(
        name="a day is a wait like any other",
        file=AZURE_ERRORS,
        original="failure.retry_after_s >= QUOTA_WAIT_S:",
        mutated="failure.retry_after_s > 2 * QUOTA_WAIT_S:",
        killers=(f"{AT_AZURE}::test_a_day_in_a_header_is_a_quota",),
        rule="a wait of a day is a quota",
    ),
    Mutant(
        name="a reset of zero seconds is believed",
        file=AZURE_ERRORS,
        original="reset_s=None) if reading.reset_s == 0 else reading",
        mutated="reset_s=0.0) if reading.reset_s == 0 else reading",
        killers=(f"{AT_AZURE}::test_resets_are_whole_seconds_that_may_say_nothing",),
        rule="a reset of zero says nothing",
    ),
    Mutant(
        name="azure reads files over chat",
        file=AZURE,
        original="files=False",
        mutated="files=True",
        killers=(f"{AT_AZURE}::test_files_go_over_responses_alone",),
        rule="Azure's Chat Completions takes no files",
    ),
]
