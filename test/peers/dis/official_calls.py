"""Calls methods of the official DIS SDK (huaweicloud-sdk-python-dis) as it is told: a line of JSON in, one out.

In: {"method": "describeStream", "args": [...], "kwargs": {...}}. Out: {"status": 200, "ok": {...}} with the public
members of the response, or {"raises": ..., "message": ...}. DIS_SIGNING is v11 (the SDK's default) or sdk;
DIS_BODIES is json or protobuf.
"""

import base64
import json
import os
import sys

# The SDK prints to stdout what it logs; only our lines may go there.
answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)

from dis_sdk_python.com.huaweicloud.dis.sdk.python.client import disclient  # noqa: E402


def plain(value):
    if isinstance(value, bytes):
        return {'base64': base64.b64encode(value).decode('ascii')}
    if isinstance(value, dict):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def call(client, method, args=(), kwargs=None):
    try:
        response = getattr(client, method)(*args, **(kwargs or {}))
    except Exception as error:  # The SDK raises whatever it meets.
        return {'raises': type(error).__name__, 'message': str(error)}
    members = {name: plain(member) for name, member in vars(response).items() if not name.startswith('_')}
    return {'ok': members}


def main():
    client = disclient.disclient(
        endpoint=os.environ['DIS_URL'],
        ak=os.environ['DIS_ACCESS_KEY'],
        sk=os.environ['DIS_SECRET_KEY'],
        projectid=os.environ['DIS_PROJECT'],
        region=os.environ['DIS_REGION'],
        bodySerializeType='protobuf' if os.environ.get('DIS_BODIES') == 'protobuf' else '',
        derivationKeySwitch=os.environ.get('DIS_SIGNING', 'v11') == 'v11',
    )
    for line in sys.stdin:
        print(json.dumps(call(client, **json.loads(line))), file=answers, flush=True)


main()
