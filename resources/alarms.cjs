// Alarms over all queues or all functions (which one it was, is in the alarm's graph), and over what functions log.

const QUEUES = {
  list: 'ListObjects',
  poll: 'PollJob',
  read: 'ReadBytes',
  finish: 'FinishRefresh',
  upload: 'StreamUpload',
};
const FUNCTIONS = {
  start: 'StartDashrefresh',
  list: 'ListDashobjects',
  poll: 'PollDashjob',
  read: 'ReadDashbytes',
  finish: 'FinishDashrefresh',
  upload: 'StreamDashupload',
  sweep: 'Sweep',
  connectors: 'ConnectorDashservice',
};

const queues = (suffix) =>
  Object.entries(QUEUES).map(([id, name]) => [id, 'QueueName', { 'Fn::GetAtt': [`${name}${suffix}`, 'QueueName'] }]);
const functions = Object.entries(FUNCTIONS).map(([id, name]) => [id, 'FunctionName', { Ref: `${name}LambdaFunction` }]);

function alarm({ name, description, expression, label, namespace, metric, stat, of, above }) {
  const actions = [{ 'Fn::If': ['HasAlarmTopic', { Ref: 'AlarmTopicArn' }, { Ref: 'AWS::NoValue' }] }];
  return {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: name,
      AlarmDescription: description,
      AlarmActions: actions,
      OKActions: actions,
      ComparisonOperator: 'GreaterThanThreshold',
      Threshold: above,
      EvaluationPeriods: 1,
      // Nothing is sent where nothing happens.
      TreatMissingData: 'notBreaching',
      Metrics: [
        { Id: 'all', Expression: `${expression}(METRICS())`, Label: label, ReturnData: true },
        ...of.map(([id, dimension, value]) => ({
          Id: id,
          ReturnData: false,
          MetricStat: {
            Metric: {
              Namespace: namespace,
              MetricName: metric,
              ...(dimension ? { Dimensions: [{ Name: dimension, Value: value }] } : {}),
            },
            Period: 300,
            Stat: stat,
          },
        })),
      ],
    },
  };
}

const lambda = { expression: 'SUM', namespace: 'AWS/Lambda', stat: 'Sum', of: functions, above: 0 };

function alarms(prefix, oldestMessageSeconds) {
  return {
    DeadLettersAlarm: alarm({
      name: `${prefix}-dead-letters`,
      description: 'Messages failed for good. The logs tell why; `landfall redrive` sends them again.',
      expression: 'SUM',
      label: 'dead letters',
      namespace: 'AWS/SQS',
      metric: 'ApproximateNumberOfMessagesVisible',
      stat: 'Maximum',
      of: queues('DeadQueue'),
      above: 0,
    }),
    OldestMessageAlarm: alarm({
      name: `${prefix}-oldest-message`,
      description: 'A message has waited long: the functions cannot keep up, or something fails again and again.',
      expression: 'MAX',
      label: 'age of the oldest message in seconds',
      namespace: 'AWS/SQS',
      metric: 'ApproximateAgeOfOldestMessage',
      stat: 'Maximum',
      of: queues('Queue'),
      above: oldestMessageSeconds,
    }),
    ErrorsAlarm: alarm({
      ...lambda,
      name: `${prefix}-errors`,
      description: 'An invocation failed as a whole. The log group of the function tells why.',
      label: 'failed invocations',
      metric: 'Errors',
    }),
    ThrottlesAlarm: alarm({
      ...lambda,
      name: `${prefix}-throttles`,
      description: 'An invocation had to wait: the account allows fewer at a time than the functions want.',
      label: 'throttled invocations',
      metric: 'Throttles',
    }),
    ...logged('JobsNotStopped', `${prefix}-jobs-not-stopped`, 'PollDashjob', {
      description: 'An external job could not be stopped for a day, and may still cost something. The log names it.',
    }),
    ...logged('SinksTooFarBehind', `${prefix}-sinks-behind`, 'Sweep', {
      description: 'A sink lags so far behind that nothing is kept for it any more. `landfall sinks` shows which.',
    }),
  };
}

/** An alarm over lines that a function logs: `{"message":"metric","metric":"…"}`. */
function logged(metric, name, functionName, { description }) {
  const namespace = 'Landfall';
  return {
    [`${metric}Filter`]: {
      Type: 'AWS::Logs::MetricFilter',
      Properties: {
        LogGroupName: { Ref: `${functionName}LogGroup` },
        FilterPattern: `{ $.metric = "${metric}" }`,
        MetricTransformations: [{ MetricNamespace: namespace, MetricName: name, MetricValue: '1' }],
      },
    },
    [`${metric}Alarm`]: alarm({
      name,
      description,
      expression: 'SUM',
      label: description,
      namespace,
      metric: name,
      stat: 'Sum',
      of: [['logged']],
      above: 0,
    }),
  };
}

module.exports = async ({ resolveVariable }) => {
  const [prefix, topic, seconds] = await Promise.all(
    ['self:custom.prefix', 'param:alarmTopicArn', 'param:oldestMessageSeconds'].map((name) => resolveVariable(name)),
  );
  return {
    Parameters: { AlarmTopicArn: { Type: 'String', Default: topic, Description: 'Told of every alarm, if given' } },
    Conditions: { HasAlarmTopic: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'AlarmTopicArn' }, ''] }] } },
    Resources: alarms(prefix, seconds),
  };
};
