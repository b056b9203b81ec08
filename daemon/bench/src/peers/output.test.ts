import test from 'ava';
import { between } from './output.js';

const BEGIN = '<!-- begin: written by scripts/bench -->';
const END = '<!-- end: written by scripts/bench -->';

test('a page keeps what stands around the markers', (t) => {
  const page = `# Title\n\n${BEGIN}\n\nold\n\n${END}\n\nmore\n`;
  t.is(between(page, 'new'), `# Title\n\n${BEGIN}\n\nnew\n\n${END}\n\nmore\n`);
  t.is(between(between(page, 'new'), 'newer'), between(page, 'newer'));
});

test('a page without markers is left alone', (t) => {
  t.throws(() => between('# Title\n', 'new'), { message: /no markers/ });
  t.throws(() => between(`${END}\n${BEGIN}\n`, 'new'), { message: /no markers/ });
});

test('two commands have each a part of the page, and a page that is not there yet gets one', (t) => {
  const page = between(undefined, 'rows', 'scripts/bench --flows');
  t.is(
    page,
    '<!-- begin: written by scripts/bench --flows -->\n\nrows\n\n<!-- end: written by scripts/bench --flows -->\n',
  );
  const both = `${BEGIN}\n${END}\n${page}`;
  t.is(between(both, 'newer'), `${BEGIN}\n\nnewer\n\n${END}\n${page}`);
});
