"""Serves queries from the views in Redis.

Exceptions and the responses that they lead to:

| raised | if | response |
|---|---|---|
| `consistency.StaleRead` | a view does not cover the token | none: the read waits and is retried |
| `Problem("projection-behind")` by `watcher.Watcher` | the wait has reached its deadline | 412 |
| `Problem("unavailable")` by `watcher.Watcher` | too many reads wait, or the service stops | 503 |
| `Problem("unavailable")` by `positions.Positions` | a view is missing or was set back | 503 |
| `Problem("unavailable")` by `queries.access` | an event that the token covers is parked | 503 |
| `shared.redis.clients.REDIS_ERRORS` | Redis is unavailable; `reader.to_problem` maps them | 503 |
| `Problem("not-found")` by `http.responses` | no such document, or not the caller's | 404 |
| `shared.contracts.tokens.MalformedToken` | `consistency` maps it to `malformed-request` | 400 |
| `http.cursors.BadCursor` | `http.parameters` maps it to `invalid-field` | 422 |
| `CannotListen`, `JwksUnreadable` | at the start only | one line, exit status 1 |
| anything else | a defect, logged by `shared.http.dispatch` | 500 |

The dispatcher adds the responses that all operations have in common, such as 401 and 429.
"""
