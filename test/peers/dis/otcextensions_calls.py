"""Calls methods of otcextensions' DIS proxy as it is told: a line of JSON in, a line of JSON out.

In: {"method": "get_stream", "args": [...], "kwargs": {...}}. Out: {"ok": ...} or {"raises": "NotFoundException",
"message": "..."}. Where the server is and who calls is in the environment.
"""

import json
import os
import sys
import types

import openstack
from openstack import exceptions, resource
from otcextensions import sdk


def connect():
    connection = openstack.connect(
        auth_url=os.environ['DIS_URL'] + '/v3',
        username=os.environ['DIS_USER'],
        password=os.environ['DIS_PASSWORD'],
        user_domain_name='landfall',
        project_id=os.environ['DIS_PROJECT'],
        region_name=os.environ['DIS_REGION'],
        load_yaml_config=False,
        load_envvars=False,
    )
    sdk.register_otc_extensions(connection)
    return connection


def plain(value):
    """What a result says, without what the client keeps for itself."""
    if isinstance(value, types.GeneratorType):
        return [plain(item) for item in value]
    if isinstance(value, resource.Resource):
        members = value.to_dict(computed=False, original_names=False)
        return {name: plain(member) for name, member in members.items() if member is not None}
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if member is not None}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def call(dis, method, args=(), kwargs=None):
    try:
        return {'ok': plain(getattr(dis, method)(*args, **(kwargs or {})))}
    except (exceptions.SDKException, ValueError, AttributeError) as error:
        return {'raises': type(error).__name__, 'message': str(error)}


def main():
    dis = connect().dis
    for line in sys.stdin:
        print(json.dumps(call(dis, **json.loads(line))), flush=True)


main()
