import test from 'ava';
import { RefusedError } from './refused.js';
import { parseDocument } from './schema.js';

const LABELS = { 'core.juniper.net/analyzer-pod-selector': 'ids-a' };

const document = (kind: string, spec: unknown, labels: object = LABELS) => ({
  apiVersion: 'vrouter/v1',
  kind,
  metadata: { name: 'x', project: 'p', labels },
  spec,
});

/** The message a document is refused with, without its subject. */
function refusal(kind: string, spec: unknown, labels?: object): string {
  try {
    parseDocument(document(kind, spec, labels));
  } catch (error) {
    if (error instanceof RefusedError) return error.message.replace(/^\w+\/x: /, '');
    throw error;
  }
  return 'accepted';
}

test('an analyzer is a transparent service with a left interface; other services are refused', (t) => {
  const template = (spec: object): string => refusal('ServiceTemplate', spec);
  t.is(template({ type: 'analyzer', interfaces: ['left', 'management'] }), 'accepted');
  t.regex(template({ type: 'firewall' }), /^spec\.type: "firewall" is a service that traffic passes through/);
  t.regex(template({ type: 'analyzer', mode: 'in-network' }), /^spec\.mode: "in-network" does not go with/);
  t.regex(template({ type: 'analyzer', interfaces: ['management'] }), /^spec\.interfaces: have no left/);
  const instance = document('ServiceInstance', { template: 'ids', interfaces: { left: 'a', management: 'd:q:b' } });
  t.deepEqual(parseDocument(instance).spec as unknown, {
    template: 'default-domain:p:ids',
    interfaces: { left: 'default-domain:p:a', management: 'd:q:b' },
  });
});

test('a mirror destination says where its analyzer is, in one way', (t) => {
  const destination = (spec: object, labels?: object): string => refusal('MirrorDestination', spec, labels);
  t.is(destination({}), 'accepted');
  t.regex(destination({}, {}), /^metadata\.labels: are without core\.juniper\.net\/analyzer-pod-selector/);
  t.is(destination({ externalAnalyzer: true, analyzerIp: '10.87.88.88', udpPort: 9098 }, {}), 'accepted');
  t.regex(destination({ externalAnalyzer: true }, {}), /^spec\.analyzerIp: is missing/);
  t.regex(destination({ analyzerIp: '10.87.88.88' }), /^spec\.analyzerIp: goes with externalAnalyzer/);
  const external = { externalAnalyzer: true, analyzerIp: '10.87.88.88', juniperHeader: false };
  t.regex(destination(external, {}), /^spec\.analyzerMac: is missing|^spec\.juniperHeader: false does not reach/);
  t.regex(destination({ nhMode: 'static', juniperHeader: false }, {}), /^spec\.staticNhHeader: is missing/);
  const header = { vtepDstIp: '192.0.2.40', vni: 7040 };
  t.is(destination({ nhMode: 'static', juniperHeader: false, staticNhHeader: header }, {}), 'accepted');
  t.regex(destination({ nhMode: 'static', staticNhHeader: header }, {}), /^spec\.juniperHeader: true/);
  t.regex(destination({ nicAssistedMirroring: true }, {}), /^spec\.nicAssistedVlan: is missing/);
  t.regex(destination({ udpPort: 65536 }), /^spec\.udpPort: 65536 is too large/);
});

test('a rule and an interface name a mirror destination by NAME, PROJECT/NAME or in full', (t) => {
  const specOf = (destination: string): unknown =>
    parseDocument(document('NetworkPolicy', { rules: [{ mirror: { destination } }] })).spec;
  for (const [given, full] of [
    ['ids', 'default-domain:p:ids'],
    ['q/ids', 'default-domain:q:ids'],
    ['d:q:ids', 'd:q:ids'],
  ])
    t.like(specOf(given), { rules: [{ mirror: { destination: full } }] });
  const port = (mirror: object): string =>
    refusal('VirtualMachineInterface', { virtualNetwork: 'blue', mirrors: [mirror] });
  t.is(port({ destination: 'ids', enable: false }), 'accepted');
  t.is(
    port({ destination: 'a/b/c' }),
    'spec.mirrors[0].destination: "a/b/c" is not the name of a mirror destination (NAME, PROJECT/NAME or DOMAIN:PROJECT:NAME); use e.g. ids',
  );
  t.is(port({ destination: 'ids', port: 3 }), 'spec.mirrors[0].port: is not a field here');
  t.is(port({ analyzerName: 'DPI', port: 3 }), 'spec.mirrors[0].port: is not a field here');
});

test('a firewall policy gets its defaults, lists and full names, and comes back from the store as it was', (t) => {
  const { spec } = parseDocument(
    document('FirewallPolicy', {
      rules: [
        {
          source: [{ selector: { matchLabels: { app: 'web' } } }],
          destination: [{ ipBlock: { cidr: '198.51.100.0/24', except: ['198.51.100.7/32'] } }],
          ports: [{ port: 80, endPort: 90 }, { protocol: 'UDP' }],
          secondaryActions: { mirrorTo: 'q/ids' },
        },
      ],
      secondaryActions: { mirrorTo: ['ids', 'ids', 'other'] },
    }),
  );
  t.deepEqual(spec as unknown, {
    selectors: [],
    action: 'pass',
    rules: [
      {
        source: [{ selector: { matchLabels: { app: 'web' }, matchExpressions: [] } }],
        destination: [{ ipBlock: { cidr: '198.51.100.0/24', except: ['198.51.100.7/32'] } }],
        ports: [{ protocol: 'tcp', port: 80, endPort: 90 }, { protocol: 'udp' }],
        secondaryActions: { mirrorTo: ['default-domain:q:ids'] },
      },
    ],
    secondaryActions: { mirrorTo: ['default-domain:p:ids', 'default-domain:p:other'] },
  });
  t.deepEqual(JSON.parse(JSON.stringify(spec)), spec as unknown);
});

test('endpoints, ports and selectors that mean nothing are refused', (t) => {
  const rule = (fields: object): string => refusal('FirewallPolicy', { rules: [fields] });
  const at = 'spec.rules[0].';
  const both = [{ selector: {}, ipBlock: { cidr: '10.0.0.0/8' } }];
  t.is(rule({ source: both }), `${at}source[0].ipBlock: cannot stand beside selector; keep one`);
  t.is(rule({ source: [{}] }), `${at}source[0]: is empty; name a selector, projects or an ipBlock`);
  const outside = [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/9'] } }];
  t.is(
    rule({ destination: outside }),
    `${at}destination[0].ipBlock.except[0]: "11.0.0.0/9" is not inside of 10.0.0.0/8`,
  );
  t.is(rule({ ports: [{ endPort: 5 }] }), `${at}ports[0].endPort: needs a port beside it`);
  t.is(rule({ ports: [{ port: 9, endPort: 5 }] }), `${at}ports[0].endPort: 5 comes before port 9`);
  t.regex(rule({ ports: [{ protocol: 'icmp', port: 9 }] }), /ports\[0\]\.port: protocol icmp has no ports/);
  const expression = { key: 'a', operator: 'In' };
  t.regex(
    refusal('FirewallPolicy', { selectors: [{ matchExpressions: [expression] }] }),
    /^spec\.selectors\[0\]\.matchExpressions\[0\]\.values: is empty; operator In needs/,
  );
});
