"""Own what becomes of one request at the router.

| file | owns |
|---|---|
| `request.py`, `embed_run.py` | its life: a plan, one attempt after another, one outcome |
| `attempt.py`, `attempts.py` | one attempt, and the making of attempts: reserved, called, judged, booked |
| `story.py` | what has happened so far, and what it cost |
| `retry.py`, `steps.py` | what follows a failed attempt |
| `resting.py`, `traffic_share.py`, `patience.py` | when all rest; retries as a share of traffic; silence |
| `drains.py` | calls that are read to their end though their callers have left |
| `hedging.py` | the race of a slow attempt with a second one |
| `rescue.py` | what follows when a stream breaks off |
| `prefill.py`, `joints.py`, `splice.py` | who goes on from a partial answer; how texts join; the seam of two attempts |
"""
