"""Calls methods of the SDK of Huawei Cloud's API gateway (huaweicloudsdkdis) as it is told: JSON in, JSON out, by lines.

In: {"method": "show_stream", "request": "ShowStreamRequest", "fields": {...}}, where fields that are request bodies are
{"type": "CreateStreamReq", "fields": {...}}. Out: {"status": 200, "ok": {...}} or {"raises": ..., "code": ..., "message": ...}.
DIS_SIGNING is plain or derived.
"""

import json
import os
import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkdis import v2


def build(value):
    if isinstance(value, dict) and 'type' in value and 'fields' in value:
        return getattr(v2, value['type'])(**{name: build(one) for name, one in value['fields'].items()})
    if isinstance(value, list):
        return [build(one) for one in value]
    return value


def plain(value):
    if hasattr(value, 'to_dict'):
        return plain(value.to_dict())
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def call(client, method, request, fields=None):
    wanted = build({'type': request, 'fields': fields or {}})
    try:
        response = getattr(client, method)(wanted)
    except ServiceResponseException as error:
        return {'raises': type(error).__name__, 'code': error.error_code, 'message': error.error_msg}
    return {'status': response.status_code, 'ok': plain(response)}


def main():
    credentials = BasicCredentials(
        os.environ['DIS_ACCESS_KEY'], os.environ['DIS_SECRET_KEY'], os.environ['DIS_PROJECT']
    )
    if os.environ.get('DIS_SIGNING') == 'derived':
        credentials = credentials.with_derived_predicate(lambda request: True)
        credentials._process_derived_auth_params('dis', os.environ['DIS_REGION'])
    client = v2.DisClient.new_builder().with_credentials(credentials).with_endpoint(os.environ['DIS_URL']).build()
    for line in sys.stdin:
        print(json.dumps(call(client, **json.loads(line))), flush=True)


main()
