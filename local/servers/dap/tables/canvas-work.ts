import {
  bool,
  float64,
  int16,
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
} from './column.ts';
import { entityTable, type TableDefinition } from './definition.ts';
import { phrase, points, prose, stateOf } from './words.ts';

const SUBMISSION_TYPES = ['online_upload', 'online_text_entry', 'online_url', 'on_paper', 'none'];

const assignmentGroups = entityTable('canvas', 'assignment_groups', 'Groups of assignments that count together.', {
  course_id: reference('courses', 'The course.'),
  name: optional(text(255, 'Display name.', phrase), 0.95),
  position: optional(int32('Rank in the course.', ({ fixed }) => 1 + fixed.int(10))),
  group_weight: optional(
    float64('Share of the grade, in percent.', ({ moving }) => moving.int(201) / 2),
    0.5,
  ),
  workflow_state: oneOf(['available', 'deleted'], 'State of the group.', stateOf(['available'])),
  created_at: timestamp('When the group was created.'),
  updated_at: updatedAt('When the group was last changed.'),
});

const assignments = entityTable(
  'canvas',
  'assignments',
  'Assignments of courses.',
  {
    course_id: reference('courses', 'The course.'),
    assignment_group_id: optional(reference('assignment_groups', 'The group.'), 0.9),
    title: optional(text(255, 'Title.', phrase), 0.98),
    description: optional(longText('Description, as HTML.', prose), 0.7),
    due_at: optional(timestamp('Due.'), 0.7),
    unlock_at: optional(timestamp('Not before.'), 0.2),
    lock_at: optional(timestamp('Not after.'), 0.2),
    points_possible: optional(float64('Points for a perfect submission.', points), 0.9),
    grading_type: optional(
      oneOfOrMore(['points', 'percent', 'letter_grade', 'pass_fail', 'gpa_scale'], 'How it is graded.'),
    ),
    submission_types: listOf({ type: 'string' }, 'What may be submitted.', ({ moving }) =>
      SUBMISSION_TYPES.filter(() => moving.chance(0.4)),
    ),
    allowed_attempts: optional(int32('Attempts; -1 for no limit.', ({ moving }) => moving.int(6) - 1)),
    workflow_state: oneOf(
      ['unpublished', 'published', 'failed_to_duplicate', 'deleted'],
      'State of the assignment.',
      stateOf(['unpublished', 'published']),
    ),
    settings: nested('Choices of the teacher.', {
      anonymous_grading: optional(
        bool('Names are hidden.', ({ moving }) => moving.chance(0.2)),
        0.6,
      ),
      grader_count: optional(
        int32('Graders.', ({ moving }) => moving.int(4)),
        0.4,
      ),
      rubric_note: optional(text(255, 'Note on the rubric.', prose), 0.5),
    }),
    created_at: timestamp('When the assignment was created.'),
    updated_at: updatedAt('When the assignment was last changed.'),
    suppress_assignment: since(
      2,
      bool('Hidden in gradebooks.', ({ moving }) => moving.chance(0.05)),
    ),
  },
  { schemaChangesAtCommit: [3] },
);

const submissions = entityTable('canvas', 'submissions', 'What users have handed in, and how it was graded.', {
  assignment_id: reference('assignments', 'The assignment.'),
  user_id: reference('users', 'Who submitted.'),
  course_id: reference('courses', 'The course.'),
  body: optional(longText('Text of the submission.', prose), 0.4),
  url: optional(
    longText('Address submitted.', ({ fixed }) => `https://example.edu/work/${fixed.int(1_000_000)}`),
    0.1,
  ),
  submission_type: optional(oneOfOrMore(SUBMISSION_TYPES, 'Kind of submission.'), 0.8),
  workflow_state: oneOf(
    ['unsubmitted', 'submitted', 'graded', 'pending_review', 'deleted'],
    'State of the submission.',
    stateOf(['unsubmitted', 'submitted', 'graded', 'pending_review']),
  ),
  score: optional(float64('Score.', points), 0.6),
  grade: optional(
    text(255, 'Grade.', ({ moving }) => moving.pick(['A', 'B+', 'complete', '87.5', 'NULL', ''])),
    0.6,
  ),
  attempt: optional(
    int32('Number of the attempt.', ({ version }) => 1 + version),
    0.8,
  ),
  excused: optional(
    bool('Does not count.', ({ moving }) => moving.chance(0.03)),
    0.7,
  ),
  attachment_ids: listOf({ type: 'integer', format: 'int64' }, 'Files.', ({ fixed }) =>
    Array.from({ length: fixed.int(3) }, () => 90_730_000_000_000_000n + BigInt(1 + fixed.int(1_000_000))),
  ),
  submitted_at: optional(timestamp('When it was handed in.'), 0.8),
  graded_at: optional(updatedAt('When it was graded.'), 0.5),
  grader_id: optional(reference('users', 'Who graded.'), 0.5),
  created_at: timestamp('When the submission was created.'),
  updated_at: updatedAt('When the submission was last changed.'),
});

const quizzes = entityTable('canvas', 'quizzes', 'Classic quizzes.', {
  course_id: reference('courses', 'The course.'),
  assignment_id: optional(reference('assignments', 'The assignment of a graded quiz.'), 0.7),
  title: optional(text(255, 'Title.', phrase), 0.98),
  description: optional(longText('Description, as HTML.', prose), 0.5),
  quiz_type: optional(oneOf(['practice_quiz', 'assignment', 'graded_survey', 'survey'], 'Kind of quiz.'), 0.98),
  points_possible: optional(float64('Points.', points), 0.9),
  question_count: optional(
    int16('Questions.', ({ moving }) => moving.int(50)),
    0.95,
  ),
  time_limit: optional(
    int32('Minutes.', ({ moving }) => 10 * (1 + moving.int(18))),
    0.5,
  ),
  shuffle_answers: bool('Answers in any order.', ({ moving }) => moving.chance(0.5), false),
  due_at: optional(timestamp('Due.'), 0.6),
  workflow_state: oneOf(
    ['unpublished', 'edited', 'available', 'deleted'],
    'State of the quiz.',
    stateOf(['unpublished', 'edited', 'available']),
  ),
  created_at: timestamp('When the quiz was created.'),
  updated_at: updatedAt('When the quiz was last changed.'),
});

const quizSubmissions = entityTable('canvas', 'quiz_submissions', 'Attempts at classic quizzes.', {
  quiz_id: reference('quizzes', 'The quiz.'),
  user_id: optional(reference('users', 'Who took it.'), 0.98),
  submission_id: optional(reference('submissions', 'The submission.'), 0.8),
  attempt: optional(int32('Number of the attempt.', ({ version }) => 1 + version)),
  score: optional(float64('Score.', points), 0.8),
  kept_score: optional(float64('Score that counts.', points), 0.8),
  fudge_points: optional(
    float64('Points given by hand.', ({ moving }) => moving.int(5) - 2.5),
    0.1,
  ),
  started_at: optional(timestamp('Start.'), 0.95),
  finished_at: optional(updatedAt('End.'), 0.8),
  workflow_state: oneOf(
    ['untaken', 'complete', 'pending_review', 'preview', 'settings_only'],
    'State of the attempt.',
    stateOf(['untaken', 'complete', 'pending_review'], 'settings_only'),
  ),
  created_at: timestamp('When the attempt was created.'),
  updated_at: updatedAt('When the attempt was last changed.'),
});

const discussionTopics = entityTable('canvas', 'discussion_topics', 'Discussions and announcements.', {
  course_id: optional(reference('courses', 'The course.'), 0.95),
  user_id: optional(reference('users', 'Who opened it.'), 0.95),
  title: optional(text(255, 'Title.', phrase), 0.98),
  message: optional(longText('First post, as HTML.', prose), 0.9),
  type: optional(oneOfOrMore(['Announcement', 'SideComment'], 'Kind of topic.'), 0.3),
  pinned: optional(
    bool('Kept on top.', ({ moving }) => moving.chance(0.1)),
    0.6,
  ),
  posted_at: optional(timestamp('When it was posted.'), 0.9),
  workflow_state: oneOf(
    ['unpublished', 'active', 'deleted'],
    'State of the topic.',
    stateOf(['unpublished', 'active']),
  ),
  created_at: timestamp('When the topic was created.'),
  updated_at: updatedAt('When the topic was last changed.'),
});

export const WORK: readonly TableDefinition[] = [
  assignmentGroups,
  assignments,
  submissions,
  quizzes,
  quizSubmissions,
  discussionTopics,
];
