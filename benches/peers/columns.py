"""The columns that every tool keeps: all that a line may have, named as in lakefront's tables."""

# Column: key.
TOP = {
    "time": "time",
    "resource_id": "resourceId",
    "location": "location",
    "category": "category",
    "operation_name": "operationName",
    "server_type": "ServerType",
    "logical_server_name": "LogicalServerName",
    "server_version": "ServerVersion",
    "server_location": "ServerLocation",
    "replica_role": "ReplicaRole",
    "original_primary_server_name": "OriginalPrimaryServerName",
    "app_image": "AppImage",
    "app_type": "AppType",
    "app_version": "AppVersion",
    "region": "Region",
}
# The same for the object `properties`.
PROPERTIES = {
    "log_timestamp": "timestamp",
    "process_id": "processId",
    "error_level": "errorLevel",
    "sqlerrcode": "sqlerrcode",
    "backend_type": "backend_type",
    "message": "message",
    "detail": "detail",
}
# The keys whose values are not kept as text: an integer, and two moments,
# `2026-11-21T07:00:00.001Z` and `2026-11-21 07:00:00.000 UTC`.
INTEGER, TIME, LOG_TIME = "processId", "time", "timestamp"
