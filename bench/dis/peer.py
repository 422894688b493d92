"""Uploads and downloads as our side does, with `otcextensions` or the `official` SDK: prints its figures as JSON.

Both are called as their users do: one request after the other, in batches as large as each takes by itself.
"""

import contextlib
import json
import os
import resource
import sys
import time

RECORDS = int(os.environ['DIS_BENCH_RECORDS'])
PARTITIONS = int(os.environ['DIS_BENCH_PARTITIONS'])
BYTES = int(os.environ['DIS_BENCH_BYTES'])


def records(first, count):
    for at in range(first, min(first + count, RECORDS)):
        yield {'data': f'record {at} '.ljust(BYTES, '.'), 'partition_key': f'key {at}'}


class Otcextensions:
    name = 'otcextensions'
    batch = 500

    def __init__(self):
        import openstack
        from otcextensions import sdk

        connection = openstack.connect(
            auth_url=os.environ['DIS_URL'] + '/v3',
            username=os.environ['DIS_USER'],
            password=os.environ['DIS_PASSWORD'],
            user_domain_name='landfall',
            project_id=os.environ['DIS_PROJECT_ID'],
            region_name=os.environ['DIS_REGION'],
            load_yaml_config=False,
            load_envvars=False,
        )
        sdk.register_otc_extensions(connection)
        self.dis = connection.dis
        self.dis.create_stream(name=self.name, partition_count=PARTITIONS)

    def upload(self, batch):
        return len(self.dis.upload_data(self.name, records=batch).records)

    def read(self, partition):
        """Its answer has no next cursor, so each request needs one of its own."""
        kwargs = {'cursor-type': 'TRIM_HORIZON'}
        count = 0
        while True:
            cursor = self.dis.get_data_cursor(self.name, partition, **kwargs).partition_cursor
            found = list(self.dis.download_data(cursor))
            if not found:
                return count
            count += len(found)
            kwargs = {'cursor-type': 'AFTER_SEQUENCE_NUMBER', 'starting-sequence-number': found[-1].sequence_number}


class Official:
    name = 'official'
    batch = 10_000

    def __init__(self):
        from dis_sdk_python.com.huaweicloud.dis.sdk.python.client import disclient

        self.dis = disclient.disclient(
            endpoint=os.environ['DIS_URL'],
            ak=os.environ['DIS_ACCESS_KEY'],
            sk=os.environ['DIS_SECRET_KEY'],
            projectid=os.environ['DIS_PROJECT_ID'],
            region=os.environ['DIS_REGION'],
        )
        self.dis.createStream(self.name, str(PARTITIONS), 'BLOB', 'COMMON')

    def upload(self, batch):
        answer = self.dis.putRecords(self.name, batch)
        return len(answer.recordResult) - answer.failedRecordCount

    def read(self, partition):
        cursor = self.dis.getCursor(self.name, partition, 'TRIM_HORIZON').cursor
        count = 0
        while True:
            answer = self.dis.getRecords(cursor)
            if not answer.recordResult:
                return count
            count += len(answer.recordResult)
            cursor = answer.nextPartitionCursor


def per_second(work):
    began = time.perf_counter()
    count = work()
    if count != RECORDS:
        raise SystemExit(f'{count} records instead of {RECORDS}')
    return round(count / (time.perf_counter() - began))


def main():
    # One of them prints what it logs.
    with contextlib.redirect_stdout(sys.stderr):
        client = {'otcextensions': Otcextensions, 'official': Official}[sys.argv[1]]()
        batches = (list(records(first, client.batch)) for first in range(0, RECORDS, client.batch))
        upload = per_second(lambda: sum(client.upload(batch) for batch in batches))
        partitions = [f'shardId-{number:010}' for number in range(PARTITIONS)]
        download = per_second(lambda: sum(client.read(partition) for partition in partitions))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    rss = used.ru_maxrss // 1024
    print(json.dumps({'uploadPerSecond': upload, 'downloadPerSecond': download, 'cpuSeconds': cpu, 'peakRssMib': rss}))


main()
