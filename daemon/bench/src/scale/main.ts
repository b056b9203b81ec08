import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openRedis, type RedisSettings } from '../../../dist/control/redis-connection.js';
import { machine } from '../peers/machine.js';
import { between } from '../peers/output.js';
import { FULL, QUICK, type ScalePlan } from './plan.js';
import { quantile, scaleReport, type ScaleFindings } from './report.js';
import { Simulator } from './simulator.js';
import type { SubjectOrder, SubjectReport } from './subject.js';

/** How long nothing changes, for the CPU that alone takes, s. */
const IDLE_SECONDS = { full: 10, quick: 2 };
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** `scripts/bench-scale`: one daemon's directory in a cluster of many hosts, which are simulated, on a real Redis. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, output: { type: 'string', default: 'docs' } },
  });
  const folder = mkdtempSync(join(tmpdir(), 'vrouterd-scale-'));
  const server = startRedis(folder);
  try {
    const redis = { url: `unix://${join(folder, 'redis.sock')}` };
    await whenUp(redis);
    const findings = await run(
      redis,
      values.quick ? QUICK : FULL,
      values.quick ? IDLE_SECONDS.quick : IDLE_SECONDS.full,
    );
    const text = scaleReport(findings);
    say(text);
    write(values.output, text, findings);
  } finally {
    server.kill();
    await once(server, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(redis: RedisSettings, plan: ScalePlan, idleSeconds: number): Promise<ScaleFindings> {
  const control = await openRedis(redis);
  say(`${plan.hosts} hosts publish ${plan.endpoints} endpoints`);
  const simulator = await Simulator.start(redis, plan);
  const subject = fork(new URL('subject.js', import.meta.url), [JSON.stringify(redis)], { execArgv: ['--expose-gc'] });
  try {
    const loaded = await order(subject, 'start');
    say('nothing changes');
    await order(subject, 'begin');
    await sleep(idleSeconds * 1000);
    const idle = await order(subject, 'end');
    say(`${plan.changesPerSecond} changes a second`);
    await order(subject, 'begin');
    const [cpuBefore, began] = [await redisCpu(control), performance.now()];
    const made = await simulator.change(plan.seconds);
    const redisPart = ((await redisCpu(control)) - cpuBefore) / ((performance.now() - began) / 1000);
    await sleep(1_000);
    const steady = await order(subject, 'end');
    const resumeMs = await resume(control, simulator, subject);
    const { latencies } = steady;
    const memory = { rss: loaded.rss, directory: loaded.directory, redis: await redisMemory(control) };
    return {
      machine: machine(),
      plan,
      load: { ms: loaded.loadMs, routes: loaded.routes },
      memory,
      idle: { cpu: idle.cpu },
      steady: {
        made,
        heard: steady.heard,
        cpu: steady.cpu,
        redisCpu: redisPart,
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
        most: quantile(latencies, 1),
      },
      resume: { ms: resumeMs },
    };
  } finally {
    subject.kill();
    simulator.stop();
    control.disconnect();
  }
}

/** Cuts the subject's connections; time until it has heard a change again, ms. */
async function resume(
  control: Awaited<ReturnType<typeof openRedis>>,
  simulator: Simulator,
  subject: ChildProcess,
): Promise<number> {
  const clients = (await control.client('LIST')) as string;
  const reading = clients.split('\n').filter((line) => / cmd=xread /.test(line));
  const cut = performance.now();
  await order(subject, 'begin');
  for (const line of reading) await control.client('KILL', 'ID', Number(/id=(\d+)/.exec(line)?.[1]));
  await simulator.change(0.01);
  for (;;) {
    const { heard } = await order(subject, 'end');
    if (heard > 0) return performance.now() - cut;
    await sleep(5);
  }
}

async function order(subject: ChildProcess, what: SubjectOrder): Promise<SubjectReport> {
  const answer = once(subject, 'message');
  subject.send(what);
  const [report] = (await answer) as [SubjectReport];
  return report;
}

function startRedis(folder: string): ChildProcess {
  const settings = ['--port', '0', '--unixsocket', join(folder, 'redis.sock'), '--dir', folder, '--save', ''];
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...settings], { stdio: 'ignore' });
}

async function whenUp(redis: RedisSettings): Promise<void> {
  for (let i = 0; ; i += 1) {
    try {
      (await openRedis(redis)).disconnect();
      return;
    } catch (error) {
      if (i === 200) throw error;
      await sleep(20);
    }
  }
}

/** Seconds of CPU the server has used. */
async function redisCpu(control: Awaited<ReturnType<typeof openRedis>>): Promise<number> {
  const text = await control.info('cpu');
  const value = (name: string): number => Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(text)?.[1]);
  return value('used_cpu_user') + value('used_cpu_sys');
}

async function redisMemory(control: Awaited<ReturnType<typeof openRedis>>): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await control.info('memory'))?.[1]);
}

/** The page's part between the markers, and the findings as a file beside it. */
function write(directory: string, text: string, findings: ScaleFindings): void {
  const page = join(directory, 'performance.md');
  mkdirSync(join(directory, 'performance'), { recursive: true });
  writeFileSync(join(directory, 'performance', 'scale.json'), `${JSON.stringify(findings, null, 2)}\n`);
  writeFileSync(page, between(textOf(page), text, 'scripts/bench-scale'));
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`bench-scale: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
