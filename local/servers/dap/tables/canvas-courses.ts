import {
  bool,
  date,
  float64,
  growingOneOf,
  int32,
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
import { code, phrase, points, prose, sisId, stateOf, subjectName } from './words.ts';

const courses = entityTable(
  'canvas',
  'courses',
  'Courses offered by the institution.',
  {
    name: text(255, 'Display name.', subjectName),
    course_code: optional(text(255, 'Short name.', code), 0.95),
    account_id: reference('accounts', 'The account that offers the course.'),
    enrollment_term_id: reference('enrollment_terms', 'The term in which it is held.'),
    workflow_state: oneOf(
      ['created', 'claimed', 'available', 'completed', 'deleted'],
      'State of the course.',
      stateOf(['created', 'claimed', 'available', 'completed']),
    ),
    is_public: bool('Whether everyone may see it.', ({ moving }) => moving.chance(0.1), false),
    start_at: optional(timestamp('First day.'), 0.5),
    conclude_at: optional(timestamp('Last day.'), 0.5),
    syllabus_body: optional(longText('Syllabus, as HTML.', prose), 0.3),
    storage_quota: optional(int32('Storage in MB.', ({ fixed }) => 250 * (1 + fixed.int(8)))),
    sis_source_id: optional(text(255, 'Identifier in the student information system.', sisId('CRS')), 0.6),
    uuid: uuid('Identifier outside the institution.'),
    settings: nested(
      'Choices of the teachers.',
      {
        allow_student_forum_attachments: optional(
          bool('Attachments in discussions.', ({ moving }) => moving.chance(0.5)),
        ),
        home_page_announcement_limit: optional(
          int32('Announcements on the first page.', ({ moving }) => moving.int(10)),
          0.5,
        ),
        banner_text: optional(text(255, 'Banner.', prose), 0.4),
      },
      { definition: 'course_settings' },
    ),
    created_at: timestamp('When the course was created.'),
    updated_at: updatedAt('When the course was last changed.'),
    homeroom_course: since(
      2,
      bool('Whether it is a homeroom.', ({ moving }) => moving.chance(0.05)),
    ),
  },
  { schemaChangesAtCommit: [6] },
);

const enrollmentTerms = entityTable(
  'canvas',
  'enrollment_terms',
  'Terms in which courses are held.',
  {
    root_account_id: reference('accounts', 'The institution.'),
    name: optional(text(255, 'Display name.', phrase), 0.95),
    start_at: optional(timestamp('Start.'), 0.8),
    end_at: optional(timestamp('End.'), 0.8),
    first_day: optional(date('First day of teaching.'), 0.5),
    workflow_state: oneOf(['active', 'deleted'], 'State of the term.', stateOf(['active'])),
    sis_source_id: optional(text(255, 'Identifier in the student information system.', sisId('TERM')), 0.7),
    created_at: timestamp('When the term was created.'),
    updated_at: updatedAt('When the term was last changed.'),
  },
  { idBase: 0n, refreshesPerCommit: 12 },
);

const courseSections = entityTable('canvas', 'course_sections', 'Sections of courses.', {
  course_id: reference('courses', 'The course.'),
  name: text(255, 'Display name.', phrase),
  default_section: bool('Whether it came with the course.', ({ fixed }) => fixed.chance(0.5), false),
  restrict_enrollments_to_section_dates: optional(
    bool('Dates of the section win.', ({ moving }) => moving.chance(0.2)),
  ),
  nonxlist_course_id: optional(reference('courses', 'Where it was before it was cross-listed.'), 0.05),
  start_at: optional(timestamp('Start.'), 0.3),
  end_at: optional(timestamp('End.'), 0.3),
  sis_source_id: optional(text(255, 'Identifier in the student information system.', sisId('SEC')), 0.5),
  workflow_state: oneOf(['active', 'deleted'], 'State of the section.', stateOf(['active'])),
  created_at: timestamp('When the section was created.'),
  updated_at: updatedAt('When the section was last changed.'),
});

const enrollments = entityTable(
  'canvas',
  'enrollments',
  'Who takes part in which section of a course, and as what.',
  {
    user_id: reference('users', 'Who takes part.'),
    course_id: reference('courses', 'The course.'),
    course_section_id: reference('course_sections', 'The section.'),
    role_id: reference('roles', 'The role.'),
    type: oneOfOrMore(
      ['StudentEnrollment', 'TeacherEnrollment', 'TaEnrollment', 'ObserverEnrollment'],
      'Kind of enrollment.',
    ),
    workflow_state: growingOneOf(
      ['invited', 'creation_pending', 'active', 'completed', 'rejected', 'deleted'],
      { since: 2, values: ['inactive'] },
      'State of the enrollment.',
    ),
    limit_privileges_to_course_section: optional(bool('Sees only the section.', ({ fixed }) => fixed.chance(0.1))),
    total_activity_time: optional(
      int32('Seconds spent in the course.', ({ moving, version }) => version * 600 + moving.int(600)),
      0.8,
    ),
    current_score: optional(float64('Score so far.', points), 0.6),
    last_activity_at: optional(updatedAt('Last activity.'), 0.7),
    sis_pseudonym_id: optional(reference('pseudonyms', 'The login it was imported with.'), 0.3),
    created_at: timestamp('When the enrollment was created.'),
    updated_at: updatedAt('When the enrollment was last changed.'),
  },
  { schemaChangesAtCommit: [5] },
);

const contextModules = entityTable('canvas', 'context_modules', 'Modules into which a course is divided.', {
  course_id: reference('courses', 'The course.'),
  name: optional(longText('Display name.', prose), 0.95),
  position: optional(int32('Rank in the course.', ({ moving }) => 1 + moving.int(20))),
  unlock_at: optional(timestamp('Not before.'), 0.2),
  require_sequential_progress: optional(bool('In this order only.', ({ moving }) => moving.chance(0.3))),
  workflow_state: oneOf(
    ['active', 'unpublished', 'deleted'],
    'State of the module.',
    stateOf(['active', 'unpublished']),
  ),
  created_at: timestamp('When the module was created.'),
  updated_at: updatedAt('When the module was last changed.'),
});

export const COURSES: readonly TableDefinition[] = [
  courses,
  enrollmentTerms,
  courseSections,
  enrollments,
  contextModules,
];
