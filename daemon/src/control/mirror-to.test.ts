import test from 'ava';
import type { InterfaceMirror, MirrorTo } from './mirror-to.js';
import { parseDocument, type ResourceOf } from './schema.js';

const MAC = '02:00:00:00:00:09';
const VTEP = { vtepDstIp: '192.0.2.40', vni: 7040 };

function parsed(...mirrors: readonly object[]): readonly InterfaceMirror[] {
  const resource = parseDocument({
    apiVersion: 'vrouter/v1',
    kind: 'VirtualMachineInterface',
    metadata: { name: 'vnf', project: 'p' },
    spec: { virtualNetwork: 'blue', mirrors },
  });
  return (resource as ResourceOf<'VirtualMachineInterface'>).spec.mirrors;
}

const mirror = (fields: object): object => ({ analyzerName: 'DPI', ...fields });

function refusal(...mirrors: readonly object[]): string {
  try {
    parsed(...mirrors);
  } catch (error) {
    return (error as Error).message.replace('VirtualMachineInterface/vnf: spec.mirrors', '');
  }
  return 'accepted';
}

test('a mirror gets its defaults and canonical text; port 0 and routing instance -1 mean none was named', (t) => {
  t.deepEqual(parsed(mirror({ analyzerIp: 'FD00::0009', udpPort: 0, routingInstance: '-1' })), [
    {
      analyzerName: 'DPI',
      analyzerIp: 'fd00::9',
      udpPort: 8099,
      juniperHeader: true,
      nhMode: 'dynamic',
      nicAssistedMirroring: false,
      rateLimit: 0,
      sample: 1,
      snapLength: 0,
      suppressIcmpErrors: true,
      trafficDirection: 'both',
      enable: true,
    },
  ]);
});

test('a routing instance is named in full, by its network in full, or short in the scope of the document', (t) => {
  const instanceOf = (routingInstance: string): string | undefined =>
    (parsed(mirror({ juniperHeader: false, analyzerMac: MAC, routingInstance }))[0] as MirrorTo).routingInstance;
  t.is(instanceOf('d:q:dpi:dpi'), 'd:q:dpi');
  t.is(instanceOf('d:q:dpi'), 'd:q:dpi');
  t.is(instanceOf('dpi'), 'default-domain:p:dpi');
  const fabric = 'default-domain:default-project:ip-fabric';
  t.is(instanceOf(`${fabric}:__default__`), fabric);
  const raw = { juniperHeader: false, analyzerMac: MAC };
  t.regex(
    refusal(mirror({ ...raw, routingInstance: 'd:q:dpi:other' })),
    /\[0\]\.routingInstance: "d:q:dpi:other" is not/,
  );
});

test('what each kind of mirror needs, and what does not go together, is refused with its path', (t) => {
  const header = { juniperHeader: true, nhMode: 'static', staticNhHeader: VTEP };
  t.regex(refusal(mirror(header)), /^\[0\]\.juniperHeader: .*static/);
  t.regex(refusal(mirror({ nhMode: 'static', staticNhHeader: VTEP })), /^\[0\]\.juniperHeader: .*static/);
  const raw = { juniperHeader: false };
  t.regex(refusal(mirror({ ...raw, nhMode: 'static' })), /^\[0\]\.staticNhHeader: is missing/);
  t.regex(
    refusal(mirror({ ...raw, nhMode: 'static', staticNhHeader: { vni: 1 } })),
    /staticNhHeader\.vtepDstIp: is missing/,
  );
  t.is(refusal(mirror({ ...raw, nhMode: 'static', staticNhHeader: VTEP })), 'accepted');
  t.regex(refusal(mirror({ staticNhHeader: VTEP })), /^\[0\]\.staticNhHeader: .*nhMode: static/);
  t.regex(refusal(mirror({ ...raw, routingInstance: 'dpi' })), /^\[0\]\.analyzerMac: is missing/);
  t.is(refusal(mirror({ ...raw, analyzerMac: MAC })), 'accepted');
  t.regex(refusal(mirror({ nicAssistedMirroring: true })), /^\[0\]\.nicAssistedVlan: is missing/);
  t.regex(refusal(mirror({ nicAssistedVlan: 7 })), /^\[0\]\.nicAssistedVlan: .*nicAssistedMirroring/);
  t.is(refusal(mirror({ nicAssistedMirroring: true, nicAssistedVlan: 7 })), 'accepted');
  t.regex(refusal({ analyzerIp: '7.7.7.3' }), /^\[0\]\.analyzerName: is missing/);
  t.regex(refusal(mirror({})), /^accepted$/);
});

test('numbers out of range are refused with their path', (t) => {
  const vxlan = (vni: number): object =>
    mirror({ juniperHeader: false, nhMode: 'static', staticNhHeader: { ...VTEP, vni } });
  for (const [fields, path] of [
    [mirror({ udpPort: 65536 }), 'udpPort'],
    [mirror({ udpPort: -1 }), 'udpPort'],
    [mirror({ nicAssistedMirroring: true, nicAssistedVlan: 4095 }), 'nicAssistedVlan'],
    [mirror({ nicAssistedMirroring: true, nicAssistedVlan: 0 }), 'nicAssistedVlan'],
    [vxlan(0), 'staticNhHeader.vni'],
    [vxlan(0x1000000), 'staticNhHeader.vni'],
    [mirror({ snapLength: 13 }), 'snapLength'],
    [mirror({ sample: 0 }), 'sample'],
    [mirror({ rateLimit: -1 }), 'rateLimit'],
    [mirror({ analyzerName: ' ' }), 'analyzerName'],
    [mirror({ analyzerIp: '7.7.7.300' }), 'analyzerIp'],
    [mirror({ analyzerMac: 'ff:ff:ff:ff:ff:ff' }), 'analyzerMac'],
    [mirror({ trafficDirection: 'in' }), 'trafficDirection'],
  ] as const)
    t.true(refusal(fields).startsWith(`[0].${path}: `), refusal(fields));
});

test('an interface has one mirror for an analyzer', (t) => {
  const [ingress, egress] = ['ingress', 'egress'].map((trafficDirection) => mirror({ trafficDirection }));
  t.regex(refusal(ingress, egress), /^\[1\]\.analyzerName: "DPI" is that of mirrors\[0\]/);
  t.is(parsed(ingress, mirror({ analyzerName: 'IDS' })).length, 2);
});
