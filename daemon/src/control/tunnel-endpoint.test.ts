import test from 'ava';
import { parseDocument } from './schema.js';

const endpoint = (spec: object): unknown => ({
  apiVersion: 'vrouter/v1',
  kind: 'TunnelEndpoint',
  metadata: { name: 'gw', project: 'p' },
  spec: { address: '192.0.2.1', encapsulations: ['VXLAN'], ...spec },
});

function refusal(spec: object): string {
  try {
    parseDocument(endpoint(spec));
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

test('an endpoint gets its defaults, canonical text, and the scope of the document for its networks', (t) => {
  const macs = [{ mac: '02:00:00:00:00:0A', addresses: ['FD00::0001'] }];
  t.like(parseDocument(endpoint({ networks: [{ virtualNetwork: 'blue', macs }] })), {
    spec: {
      address: '192.0.2.1',
      encapsulations: ['VXLAN'],
      networks: [
        {
          virtualNetwork: 'default-domain:p:blue',
          flood: true,
          macs: [{ mac: '02:00:00:00:00:0a', addresses: ['fd00::1'] }],
          prefixes: [],
        },
      ],
    },
  });
});

test('with MPLS everything has a label; with VXLAN nothing needs one', (t) => {
  const mpls = { encapsulations: ['VXLAN', 'MPLSoGRE'] };
  const blue = { virtualNetwork: 'blue', prefixes: [{ prefix: '0.0.0.0/0' }], flood: false };
  t.is(refusal({ networks: [blue] }), 'accepted');
  t.regex(refusal({ ...mpls, networks: [blue] }), /spec\.networks\[0\]\.prefixes\[0\]\.label.*MPLSoGRE/);
  t.is(refusal({ ...mpls, networks: [{ ...blue, label: 20 }] }), 'accepted');
  t.is(refusal({ ...mpls, networks: [{ ...blue, prefixes: [{ prefix: '0.0.0.0/0', label: 20 }] }] }), 'accepted');
  t.regex(refusal({ ...mpls, networks: [{ virtualNetwork: 'blue' }] }), /spec\.networks\[0\]\.label.*flood/);
  const macs = [{ mac: '02:00:00:00:00:01' }];
  t.regex(refusal({ ...mpls, networks: [{ ...blue, prefixes: [], macs }] }), /networks\[0\]\.macs\[0\]\.label/);
});

test('what is there twice, or out of range, is refused with its path', (t) => {
  const mac = '02:00:00:00:00:01';
  const blue = { virtualNetwork: 'blue' };
  t.regex(refusal({ encapsulations: ['VXLAN', 'VXLAN'] }), /spec\.encapsulations\[1\]/);
  t.regex(refusal({ encapsulations: [] }), /spec\.encapsulations/);
  t.regex(refusal({ networks: [blue, blue] }), /spec\.networks\[1\]\.virtualNetwork/);
  t.regex(refusal({ networks: [{ ...blue, macs: [{ mac }, { mac }] }] }), /networks\[0\]\.macs\[1\]\.mac/);
  const twice = [{ mac, addresses: ['10.0.0.1', '10.0.0.1'] }];
  t.regex(refusal({ networks: [{ ...blue, macs: twice }] }), /networks\[0\]\.macs\[0\]\.addresses\[1\]/);
  const prefixes = [{ prefix: '10.0.0.0/8' }, { prefix: '10.0.0.0/8' }];
  t.regex(refusal({ networks: [{ ...blue, prefixes }] }), /networks\[0\]\.prefixes\[1\]\.prefix/);
  t.regex(refusal({ networks: [{ ...blue, label: 15 }] }), /networks\[0\]\.label/);
  t.regex(refusal({ networks: [{ ...blue, vni: 0x100_0000 }] }), /networks\[0\]\.vni/);
});
