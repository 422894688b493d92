import { COURSES } from './canvas-courses.ts';
import { PEOPLE } from './canvas-people.ts';
import { WORK } from './canvas-work.ts';
import {
  address,
  bool,
  float64,
  int32,
  longText,
  oneOf,
  oneOfOrMore,
  optional,
  reference,
  text,
  timestamp,
  updatedAt,
  uuid,
} from './column.ts';
import { entityTable, eventTable, type TableDefinition } from './definition.ts';
import { phrase, points, prose, stateOf } from './words.ts';

const webLogs = eventTable('canvas_logs', 'web_logs', 'Requests to Canvas.', {
  timestamp: timestamp('When the request came in.'),
  user_id: optional(reference('users', 'Who asked.'), 0.8),
  request_id: uuid('Identifier of the request.'),
  remote_ip: optional(address('Address it came from.'), 0.95),
  http_method: oneOfOrMore(['GET', 'POST', 'PUT', 'DELETE'], 'Method.'),
  http_status: optional(int32('Status of the reply.', ({ fixed }) => fixed.pick([200, 200, 200, 302, 404, 500]))),
  url: optional(text(4096, 'Path and query.', ({ fixed }) => `/courses/${fixed.int(1000)}?page=${fixed.int(10)}`)),
  interaction_seconds: optional(
    float64('Time until the next request.', ({ fixed }) => fixed.int(100_000) / 1000),
    0.5,
  ),
  user_agent: optional(longText('Browser.', ({ fixed }) => `Mozilla/5.0 (X11; Linux; rv:${100 + fixed.int(40)}.0)`)),
});

const orders = entityTable('catalog', 'orders', 'Orders of course offerings.', {
  user_id: reference('users', 'Who ordered.'),
  total: float64('Sum.', points),
  currency: oneOfOrMore(['USD', 'EUR', 'JPY'], 'Currency.'),
  purchased_at: optional(timestamp('When it was paid.'), 0.9),
  workflow_state: oneOf(
    ['pending', 'paid', 'refunded'],
    'State of the order.',
    stateOf(['pending', 'paid'], 'refunded'),
  ),
  updated_at: updatedAt('When the order was last changed.'),
});

const newQuizzes = entityTable('new_quizzes', 'quizzes', 'Quizzes of the new engine.', {
  title: optional(text(255, 'Title.', phrase), 0.98),
  instructions: optional(longText('Instructions, as HTML.', prose), 0.6),
  points_possible: optional(float64('Points.', points)),
  is_published: bool('Whether it can be taken.', ({ moving }) => moving.chance(0.8), false),
  created_at: timestamp('When the quiz was created.'),
  updated_at: updatedAt('When the quiz was last changed.'),
});

/** All tables of all namespaces. */
export const DEFAULT_TABLES: readonly TableDefinition[] = [...PEOPLE, ...COURSES, ...WORK, webLogs, orders, newQuizzes];

/** Plain tables `extra_001` …, for who needs a namespace of a hundred. */
export function extraTables(count: number, namespace = 'canvas'): TableDefinition[] {
  return Array.from({ length: count }, (_, index) =>
    entityTable(namespace, `extra_${String(index + 1).padStart(3, '0')}`, 'A table among many.', {
      name: text(255, 'Display name.', phrase),
      description: optional(longText('Description.', prose), 0.5),
      workflow_state: oneOf(['active', 'deleted'], 'State of the record.', stateOf(['active'])),
      updated_at: updatedAt('When the record was last changed.'),
    }),
  );
}
