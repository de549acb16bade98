"""From the API server to the topics: list, watch, recover.

Here belongs all that speaks to the Kubernetes API server and decides what to do when it does not answer well:
credentials, discovery, requests (`api_session`, `lister_watcher`), bytes to events (`pages`, `watch_stream`), errors
and their recoveries (`errors`, `recovery`, `silence`), and the loop that joins them (`reflector`), one per resource,
namespace and selectors. Forbidden here: any knowledge of subscribers, of frames and of metrics; `downstream` is never
imported. Modules that decide (`recovery`, `silence`, `watch_stream`, `pages`, `answers`, `positions`, `resources`,
`ingest`) do no I/O and read no clock.
"""
