"""What a call may use before it is made: an upper bound that holds, and an expectation that is cheap and learns.

| file | owns |
|---|---|
| `text.py` | a text's weight in tokens, by classes of characters, and its bound in bytes |
| `measure.py` | the one walk over a request that all counting shares |
| `families.py` | how model families count: vocabulary, templates, tools, pictures |
| `picture_tokens.py` | the vendors' rules for pictures |
| `prompt.py` | the expected usage of a call |
| `bound.py` | the most a call can use, and its worst cost |
| `calibration.py` | what is learnt per model from reported usage |
| `counting.py`, `tokenizer.py` | counts for somebody who asks: exact by a published vocabulary, if it is installed |
"""
