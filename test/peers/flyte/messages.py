"""Talks to a connector service over HTTP in Flyte's own messages, of both generations, and prints what came back.

Requests are written, and replies read strictly, by protobuf's JSON codec over the published schemas: a member that the schema
does not have is an error.
"""

import base64
import json
import sys
import urllib.error
import urllib.request

from flyteidl.admin import agent_pb2
from flyteidl.core import interface_pb2 as interface1, literals_pb2 as literals1, tasks_pb2 as tasks1, types_pb2 as types1
from flyteidl2.connector import connector_pb2
from flyteidl2.core import interface_pb2 as interface2, literals_pb2 as literals2, tasks_pb2 as tasks2, types_pb2 as types2
from flyteidl2.core import metrics_pb2, security_pb2
from flyteidl2.task import common_pb2
from google.protobuf import json_format
from google.rpc import status_pb2, error_details_pb2  # noqa: F401 (registers the details' types)

BASE = sys.argv[1]


def call(method, path, message=None, proto_names=False):
    query = "schema=flyte" + ("&names=proto" if proto_names else "")
    body = None
    if message is not None:
        body = json_format.MessageToJson(message, preserving_proto_field_name=proto_names).encode()
    request = urllib.request.Request(
        f"{BASE}{path}?{query}", data=body, method=method, headers={"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def read(kind, text):
    return json_format.Parse(text, kind())


def seen(message):
    return json_format.MessageToDict(message)


def streamed(kind, text):
    return [seen(json_format.ParseDict(json.loads(line)["result"], kind())) for line in text.splitlines()]


def number(literals, value):
    return literals.Literal(scalar=literals.Scalar(primitive=literals.Primitive(integer=value)))


def words(literals, *values):
    items = [literals.Literal(scalar=literals.Scalar(primitive=literals.Primitive(string_value=value))) for value in values]
    return literals.Literal(collection=literals.LiteralCollection(literals=items))


def variables(interface, types):
    return {
        "count": interface.Variable(type=types.LiteralType(simple=types.INTEGER), description="how many"),
        "names": interface.Variable(type=types.LiteralType(collection_type=types.LiteralType(simple=types.STRING))),
    }


def filled(template):
    template.custom.update({"cluster": "a", "size": 3})
    template.metadata.retries.retries = 2
    template.metadata.timeout.seconds = 90
    template.id.project, template.id.domain, template.id.name, template.id.version = "p", "d", "n", "v"
    template.container.args.extend(["--out", "{{.outputPrefix}}", "{{.inputs.count}}"])
    template.container.env.add(key="A", value="b")
    return template


def create2():
    template = filled(tasks2.TaskTemplate(type="fake", task_type_version=0))
    for name, variable in variables(interface2, types2).items():
        template.interface.inputs.variables.add(key=name, value=variable)
    return connector_pb2.CreateTaskRequest(
        template=template,
        output_prefix="s3://bucket/run",
        inputs=common_pb2.Inputs(
            literals=[
                common_pb2.NamedLiteral(name="count", value=number(literals2, 2**60 + 1)),
                common_pb2.NamedLiteral(name="names", value=words(literals2, "x", "y")),
            ]
        ),
        task_execution_metadata=connector_pb2.TaskExecutionMetadata(namespace="ns", labels={"team": "a"}, max_attempts=3),
        connection=security_pb2.Connection(task_type="fake", secrets={"key": "hush-hush-1"}, configs={"region": "eu"}),
    )


def create1():
    template = filled(tasks1.TaskTemplate(type="fake", task_type_version=0))
    for name, variable in variables(interface1, types1).items():
        template.interface.inputs.variables[name].CopyFrom(variable)
    return agent_pb2.CreateTaskRequest(
        template=template,
        output_prefix="s3://bucket/run",
        inputs=literals1.LiteralMap(literals={"count": number(literals1, 2**60 + 1), "names": words(literals1, "x", "y")}),
        task_execution_metadata=agent_pb2.TaskExecutionMetadata(namespace="ns", labels={"team": "a"}),
    )


def conversation(generation, module, create, proto_names):
    base = f"/api/v1/{generation}"
    log = {}
    _, text = call("POST", f"{base}/task", create, proto_names)
    meta = read(module.CreateTaskResponse, text).resource_meta
    log["meta"] = meta.decode()
    handle = base64.urlsafe_b64encode(meta).decode()
    category = module.TaskCategory(name="fake", version=0)

    _, text = call("GET", f"{base}/task/fake/0/{handle}", proto_names=proto_names)
    log["resource"] = seen(read(module.GetTaskResponse, text))
    request = module.GetTaskRequest(resource_meta=meta, task_category=category, output_prefix="s3://bucket/run")
    _, text = call("POST", f"{base}/task:get", request, proto_names)
    log["same"] = seen(read(module.GetTaskResponse, text)) == log["resource"]

    metrics = module.GetTaskMetricsRequest(resource_meta=meta, task_category=category, queries=["CPU"])
    metrics.start_time.FromJsonString("2026-01-01T00:00:00Z")
    metrics.end_time.FromJsonString("2026-01-01T01:00:00Z")
    metrics.step.FromJsonString("10s")
    _, text = call("POST", f"{base}/task:metrics", metrics, proto_names)
    log["metrics"] = seen(read(module.GetTaskMetricsResponse, text))

    logs = module.GetTaskLogsRequest(resource_meta=meta, task_category=category, lines=7, token="t")
    _, text = call("POST", f"{base}/task:logs", logs, proto_names)
    log["logs"] = streamed(module.GetTaskLogsResponse, text)

    one, many = ("GetConnectorResponse", "ListConnectorsResponse")
    if generation == "agent":
        one, many = ("GetAgentResponse", "ListAgentsResponse")
    log["described"] = seen(read(getattr(module, one), call("GET", f"{base}/Fake", proto_names=proto_names)[1]))
    log["listed"] = seen(read(getattr(module, many), call("GET", f"{base}s", proto_names=proto_names)[1]))

    _, text = call("DELETE", f"{base}/task_executions/fake/0/{handle}", proto_names=proto_names)
    log["deleted"] = seen(read(module.DeleteTaskResponse, text))
    status, text = call("GET", f"{base}/task/fake/9/{handle}", proto_names=proto_names)
    log["missing"] = [status, seen(read(status_pb2.Status, text))]
    return log


print(
    json.dumps(
        {
            f"{generation} {'proto' if proto_names else 'json'}": conversation(generation, module, create(), proto_names)
            for generation, module, create in [("connector", connector_pb2, create2), ("agent", agent_pb2, create1)]
            for proto_names in (False, True)
        }
    )
)
