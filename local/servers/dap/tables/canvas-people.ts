import {
  bool,
  date,
  growingOneOf,
  int32,
  listOf,
  longText,
  nested,
  oneOf,
  oneOfOrMore,
  optional,
  reference,
  since,
  text,
  timestamp,
  updatedAt,
  uuid,
} from './column.ts';
import { entityTable, type TableDefinition } from './definition.ts';
import { email, personName, phrase, prose, sisId, stateOf } from './words.ts';

const users = entityTable(
  'canvas',
  'users',
  'Users of the institution: students, teachers and everyone else who signs in.',
  {
    name: text(255, 'Full name.', personName),
    sortable_name: optional(text(255, 'Name for lists.', personName)),
    short_name: optional(text(255, 'Name for display.', personName), 0.4),
    workflow_state: oneOf(
      ['pre_registered', 'registered', 'deleted'],
      'State of the user.',
      stateOf(['registered', 'pre_registered']),
    ),
    created_at: timestamp('When the user was created.'),
    updated_at: updatedAt('When the user was last changed.'),
    deleted_at: optional(timestamp('When the user was deleted.'), 0.05),
    birthdate: optional(date('Date of birth.', 20), 0.3),
    time_zone: optional(
      text(64, 'Time zone.', ({ fixed }) => fixed.pick(['America/Denver', 'Europe/Berlin', 'Asia/Tokyo'])),
      0.6,
    ),
    locale: optional(oneOfOrMore(['en', 'de', 'fr', 'ja'], 'Language of the user interface.'), 0.5),
    lti_id: optional(uuid('Identifier passed to external tools.')),
    merged_into_user_id: optional(reference('users', 'The user this one was merged into.'), 0.02),
    preferences: nested(
      'What the user has chosen.',
      {
        high_contrast: optional(bool('High contrast.', ({ moving }) => moving.chance(0.1))),
        theme: optional(
          text(32, 'Colours.', ({ moving }) => moving.pick(['light', 'dark', 'NULL'])),
          0.8,
        ),
        font_size: since(
          3,
          int32('Font size in points.', ({ moving }) => 10 + moving.int(8)),
        ),
      },
      { definition: 'user_preferences' },
    ),
    pronouns: since(
      2,
      text(64, 'Pronouns.', ({ fixed }) => fixed.pick(['she/her', 'he/him', 'they/them'])),
    ),
  },
  { schemaChangesAtCommit: [4, 12] },
);

const accounts = entityTable(
  'canvas',
  'accounts',
  'Accounts: the institution and its parts.',
  {
    name: optional(text(255, 'Display name.', phrase), 0.95),
    parent_account_id: optional(reference('accounts', 'The account above.'), 0.9),
    root_account_id: optional(reference('accounts', 'The account at the top.'), 0.9),
    workflow_state: oneOf(['active', 'deleted'], 'State of the account.', stateOf(['active'])),
    created_at: timestamp('When the account was created.'),
    updated_at: updatedAt('When the account was last changed.'),
    default_time_zone: optional(
      text(64, 'Time zone.', ({ fixed }) => fixed.pick(['UTC', 'Europe/Vienna'])),
      0.5,
    ),
    sis_source_id: optional(text(255, 'Identifier in the student information system.', sisId('ACC')), 0.5),
    storage_quota: optional(int32('Storage in MB.', ({ fixed }) => 500 * (1 + fixed.int(10)))),
  },
  { idBase: 0n, refreshesPerCommit: 6 },
);

const pseudonyms = entityTable('canvas', 'pseudonyms', 'Logins of users.', {
  user_id: reference('users', 'The user who signs in.'),
  account_id: reference('accounts', 'The account in which the login is valid.'),
  unique_id: text(255, 'Login name.', email),
  workflow_state: oneOf(['active', 'suspended', 'deleted'], 'State of the login.', stateOf(['active', 'suspended'])),
  sis_user_id: optional(text(255, 'Identifier in the student information system.', sisId('SIS'))),
  login_count: int32('How often it was used.', ({ moving, version }) => version * 10 + moving.int(10)),
  last_request_at: optional(updatedAt('Last use.')),
  current_login_ip: optional(
    text(45, 'Address of the last use.', ({ fixed }) => `198.51.100.${fixed.int(256)}`),
    0.8,
  ),
  created_at: timestamp('When the login was created.'),
  updated_at: updatedAt('When the login was last changed.'),
});

const communicationChannels = entityTable(
  'canvas',
  'communication_channels',
  'Addresses at which users are notified.',
  {
    user_id: reference('users', 'The user.'),
    path: text(255, 'The address.', email),
    path_type: optional(oneOfOrMore(['email', 'sms', 'push', 'slack'], 'Kind of address.')),
    position: optional(int32('Rank among the addresses of the user.', ({ fixed }) => 1 + fixed.int(3))),
    bounce_count: int32('Messages that came back.', ({ version }) => version),
    workflow_state: oneOf(
      ['unconfirmed', 'active', 'retired'],
      'State of the address.',
      stateOf(['unconfirmed', 'active'], 'retired'),
    ),
    created_at: timestamp('When it was added.'),
    updated_at: updatedAt('When it was last changed.'),
  },
);

const roles = entityTable(
  'canvas',
  'roles',
  'Roles that an enrollment may have.',
  {
    account_id: optional(reference('accounts', 'The account that defines the role.')),
    name: text(255, 'Display name.', phrase),
    base_role_type: growingOneOf(
      ['StudentEnrollment', 'TeacherEnrollment', 'TaEnrollment', 'AccountMembership'],
      { since: 2, values: ['DesignerEnrollment', 'ObserverEnrollment'] },
      'What the role is derived from.',
    ),
    workflow_state: oneOf(
      ['active', 'built_in', 'inactive'],
      'State of the role.',
      stateOf(['active', 'built_in'], 'inactive'),
    ),
    permissions: listOf({ type: 'string' }, 'What the role may do.', ({ moving }) =>
      ['read_grades', 'manage_grades', 'send_messages', 'a "quoted", odd\none'].filter(() => moving.chance(0.5)),
    ),
    description: optional(longText('Description.', prose), 0.5),
    created_at: timestamp('When the role was created.'),
    updated_at: updatedAt('When the role was last changed.'),
  },
  { idBase: 0n, refreshesPerCommit: 3, schemaChangesAtCommit: [2] },
);

export const PEOPLE: readonly TableDefinition[] = [users, accounts, pseudonyms, communicationChannels, roles];
