"""Runs a Function App with Microsoft's own runtime library, as a process that a test talks to.

``python official_runtime.py FOLDER [LIBRARIES]`` indexes and loads the app in FOLDER, writes what
the library told the host about it as one line of JSON, and then answers one line for each
invocation asked for on standard input. The runtime library may lie in LIBRARIES; what the app
brings itself goes before it. No host, no network: host and worker exchange the same messages as on
Azure, whose classes azure-functions-runtime-v1 carries.
"""

import asyncio
import base64
import importlib
import importlib.metadata
import json
import os
import sys
import types
import uuid
from typing import Any

PACKAGE = "azure-functions-runtime-v1"
_ALIAS = "function_messages"


def message_classes() -> types.SimpleNamespace:
    """Gather the classes of all messages, as the library wants them.

    They lie in a folder ``tests/protos`` of their own distribution. It is imported under another
    name, so that no project's own ``tests`` stands in the way.
    """
    files = importlib.metadata.files(PACKAGE) or []
    place = next(file for file in files if file.name == "FunctionRpc_pb2.py")
    package = types.ModuleType(_ALIAS)
    package.__path__ = [os.path.dirname(str(place.locate()))]  # noqa: PTH120  # locate() may give text
    sys.modules[_ALIAS] = package
    names = ("shared.NullableTypes_pb2", "identity.ClaimsIdentityRpc_pb2", "FunctionRpc_pb2")
    found: dict[str, Any] = {}
    for name in names:
        found |= vars(importlib.import_module(f"{_ALIAS}.{name}"))
    return types.SimpleNamespace(**{k: v for k, v in found.items() if k[0].isupper()})


class OfficialRuntime:
    """One app in Microsoft's library; the library holds one app a process.

    Parameters
    ----------
    folder : str
        Holds `function_app.py`.
    """

    def __init__(self, folder: str) -> None:
        self._library = importlib.import_module("azure_functions_runtime")
        self._messages = message_classes()
        self._loop = asyncio.new_event_loop()
        self._library.start_threadpool_executor()
        start = self._messages.WorkerInitRequest
        self._ask("worker_init_request", start(function_app_directory=folder, host_version="4.0"))
        listing = self._messages.FunctionsMetadataRequest(function_app_directory=folder)
        found = self._ask("functions_metadata_request", listing).function_metadata_results
        self.functions = {function.name: function for function in found}
        for one in found:
            load = self._messages.FunctionLoadRequest(function_id=one.function_id, metadata=one)
            self._ask("function_load_request", load)

    def _ask(self, kind: str, message: Any) -> Any:
        request = types.SimpleNamespace(
            request=self._messages.StreamingMessage(**{kind: message}),
            properties={"host": "127.0.0.1", "protos": self._messages},
        )
        answer = self._loop.run_until_complete(getattr(self._library, kind)(request))
        succeeded = answer.result.status == self._messages.StatusResult.Success
        if not succeeded and kind != "invocation_request":  # there a failure is a result
            raise RuntimeError(f"{kind}: {answer.result.exception.message}")
        return answer

    def description(self) -> dict[str, Any]:
        """Tell what the host gets to know about each function."""
        return {
            name: {
                "bindings": [json.loads(binding) for binding in function.raw_bindings],
                "retry": _retry(function) if function.HasField("retry_options") else None,
            }
            for name, function in self.functions.items()
        }

    def invoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function with the data of its trigger, and tell what came of it."""
        function = self.functions[asked["function"]]
        triggers = map(json.loads, function.raw_bindings)
        name = next(one["name"] for one in triggers if one["type"].lower().endswith("trigger"))
        metadata = asked.get("metadata", {}).items()
        trace = self._messages.RpcTraceContext(trace_parent=asked.get("trace_parent", ""))
        message = self._messages.InvocationRequest(
            invocation_id=str(uuid.uuid4()),
            function_id=function.function_id,
            input_data=[self._messages.ParameterBinding(name=name, data=self._data(asked))],
            trace_context=trace,
            trigger_metadata={key: self._messages.TypedData(json=text) for key, text in metadata},
        )
        answer = self._ask("invocation_request", message)
        http = answer.return_value.http
        return {
            "status": self._messages.StatusResult.Status.Name(answer.result.status),
            "error": answer.result.exception.message,
            "http_status": http.status_code,
            "http_type": http.headers.get("content-type", ""),
            "http_body": (http.body.bytes or http.body.string.encode()).decode(),
        }

    def _data(self, asked: dict[str, Any]) -> Any:
        messages = self._messages
        if "bodies" in asked:
            bodies = [base64.b64decode(body) for body in asked["bodies"]]
            return messages.TypedData(collection_bytes=messages.CollectionBytes(bytes=bodies))
        if "http" in asked:
            parts = dict(asked["http"])
            body = messages.TypedData(bytes=parts.pop("body", "").encode())
            return messages.TypedData(http=messages.RpcHttp(body=body, **parts))
        return messages.TypedData(json=json.dumps(asked["json"]))


def _retry(function: Any) -> dict[str, Any]:
    options = function.retry_options
    return {
        "max_retry_count": options.max_retry_count,
        "strategy": type(options).RetryStrategy.Name(options.retry_strategy),
        "minimum_s": options.minimum_interval.seconds,
        "maximum_s": options.maximum_interval.seconds,
    }


def main() -> None:
    """Answer a test until it closes standard input."""
    # what the app prints must not come between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path[0] = sys.argv[1]  # the app, and not this file's folder, as in the worker
    sys.path += sys.argv[2:]
    runtime = OfficialRuntime(sys.argv[1])
    with answers:
        print(json.dumps(runtime.description()), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(runtime.invoke(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
