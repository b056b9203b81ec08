-- Wireshark dissector of packets that Contrail's vRouter mirrors with the Juniper header on: UDP (port 8099 unless told otherwise),
-- metadata as TLVs (type 1 byte, length 1 byte, value), an end marker ff 00, then the complete Ethernet frame that was copied.
--
--   type 1     address of the host that made the copy: 4 bytes, 16 of IPv6
--   type 2     what the flow's rules did: 32 bits, of old releases 16
--   type 3, 4  name of the source's and of the destination's network
--   type 255   end, length 0
--
-- A copy of what an interface sent carries a type 3 only, of what was sent to it a type 4 only; a copy a policy made carries all four.
-- Works with Wireshark 3.0 and newer, whichever Lua that was built with.

local cmirror = Proto("cmirror", "Contrail Mirror Metadata")

local CAPTURE_HOST, FLAGS, SRC_VN, DST_VN, END = 1, 2, 3, 4, 255
local INGRESS_BIT = 30
local SHORTEST_FRAME = 14

local TYPE_NAMES = {
  [CAPTURE_HOST] = "Capturing host",
  [FLAGS] = "Flags",
  [SRC_VN] = "Source network",
  [DST_VN] = "Destination network",
  [END] = "End of metadata",
}

-- Bits of the flags: number, name in filters, what it says.
local BITS = {
  { 1, "alert", "Alert" },
  { 3, "deny", "Deny" },
  { 4, "log", "Log" },
  { 5, "pass", "Pass" },
  { 7, "mirror", "Mirror" },
  { 8, "vrf_translate", "VRF translate" },
  { 9, "apply_qos", "Apply QoS" },
  { 10, "host_based_service", "Host-based service" },
  { 28, "trap", "Trap" },
  { 29, "implicit_deny", "Implicit deny" },
  { INGRESS_BIT, "ingress", "Ingress" },
}

local fields = {
  capture_host = ProtoField.ipv4("cmirror.capture_host", "Capturing host"),
  capture_host6 = ProtoField.ipv6("cmirror.capture_host6", "Capturing host"),
  flags = ProtoField.uint32("cmirror.flags", "Flags", base.HEX),
  src_vn = ProtoField.string("cmirror.src_vn", "Source network"),
  dst_vn = ProtoField.string("cmirror.dst_vn", "Destination network"),
  direction = ProtoField.string("cmirror.direction", "Direction"),
  kind = ProtoField.string("cmirror.kind", "Kind of copy"),
  len = ProtoField.uint32("cmirror.len", "Length of the metadata", base.DEC),
  tlv_type = ProtoField.uint8("cmirror.tlv.type", "Type", base.DEC, TYPE_NAMES),
  tlv_len = ProtoField.uint8("cmirror.tlv.len", "Length", base.DEC),
  tlv_value = ProtoField.bytes("cmirror.tlv.value", "Value"),
}
local bit_fields = {}
for i, bit in ipairs(BITS) do
  local name = "cmirror.flags." .. bit[2]
  bit_fields[i] = ProtoField.bool(name, bit[3], 32, nil, math.floor(2 ^ bit[1]))
  fields["flag_" .. bit[2]] = bit_fields[i]
end
cmirror.fields = fields

local function malformed(name, text)
  return ProtoExpert.new("cmirror." .. name, text, expert.group.MALFORMED, expert.severity.ERROR)
end
local experts = {
  no_end = malformed("no_end", "The metadata has no end marker (ff 00)"),
  overrun = malformed("overrun", "The value is longer than what is left of the datagram"),
  duplicate = malformed("duplicate", "This type occurred before"),
  unknown_type = ProtoExpert.new(
    "cmirror.unknown_type", "Unknown type", expert.group.UNDECODED, expert.severity.WARN),
  bad_length = malformed("bad_length", "This type has another length"),
  cut = ProtoExpert.new(
    "cmirror.cut", "Packet cut by the capture", expert.group.COMMENTS_GROUP, expert.severity.NOTE),
  short_frame = malformed("short_frame", "What follows the metadata is too short for an Ethernet frame"),
}
cmirror.experts = experts

cmirror.prefs.ports = Pref.range("UDP ports", "8099", "Ports that receive mirrored packets", 65535)
cmirror.prefs.heuristic = Pref.bool(
  "Look for it on all UDP ports", false, "Takes every UDP datagram that begins with whole, valid metadata")

local function has_bit(value, bit)
  return math.floor(value / 2 ^ bit) % 2 == 1
end

local function legal_length(kind, length)
  if kind == CAPTURE_HOST then return length == 4 or length == 16 end
  if kind == FLAGS then return length == 4 or length == 2 end
  if kind == END then return length == 0 end
  return true
end

local function add_flags(tree, range, found)
  local value = range:uint()
  local item = tree:add(fields.flags, range)
  local names = {}
  for i, bit in ipairs(BITS) do
    if bit[1] < range:len() * 8 then
      item:add(bit_fields[i], range)
      if has_bit(value, bit[1]) then names[#names + 1] = bit[2] end
    end
  end
  item:append_text(" (" .. table.concat(names, ", ") .. ")")
  if range:len() == 4 then found.ingress = has_bit(value, INGRESS_BIT) end
end

local function add_value(tree, kind, range, found)
  if kind == CAPTURE_HOST and range:len() == 4 then
    tree:add(fields.capture_host, range)
    found.host = tostring(range:ipv4())
  elseif kind == CAPTURE_HOST and range:len() == 16 then
    tree:add(fields.capture_host6, range)
    found.host = tostring(range:ipv6())
  elseif kind == FLAGS and (range:len() == 4 or range:len() == 2) then
    add_flags(tree, range, found)
    found.has_flags = true
  elseif kind == SRC_VN then
    tree:add(fields.src_vn, range)
    found.src_vn = range:string()
  elseif kind == DST_VN then
    tree:add(fields.dst_vn, range)
    found.dst_vn = range:string()
  elseif range:len() > 0 then
    tree:add(fields.tlv_value, range)
  end
end

-- Shows the TLVs as far as the capture has them. Returns what they say, and where the frame begins: nil when there is no end of the
-- metadata, or it was cut.
local function add_metadata(tvb, tree)
  local found = { seen = {} }
  local at, size, captured = 0, tvb:reported_len(), tvb:len()
  while at + 2 <= size do
    if at + 2 > captured then
      found.cut = true
      return found, nil
    end
    local kind, length = tvb:range(at, 1):uint(), tvb:range(at + 1, 1):uint()
    local left = size - at - 2
    local title = TYPE_NAMES[kind] or ("Unknown type " .. kind)
    if length > left then
      local item = tree:add(tvb:range(at), title)
      item:add(fields.tlv_type, tvb:range(at, 1))
      item:add(fields.tlv_len, tvb:range(at + 1, 1)):add_proto_expert_info(experts.overrun)
      found.overrun = true
      return found, nil
    end
    found.cut = at + 2 + length > captured
    local item = tree:add(found.cut and tvb:range(at) or tvb:range(at, 2 + length), title)
    local type_item = item:add(fields.tlv_type, tvb:range(at, 1))
    local length_item = item:add(fields.tlv_len, tvb:range(at + 1, 1))
    if not TYPE_NAMES[kind] then type_item:add_proto_expert_info(experts.unknown_type) end
    if found.seen[kind] then type_item:add_proto_expert_info(experts.duplicate) end
    if not legal_length(kind, length) then length_item:add_proto_expert_info(experts.bad_length) end
    found.seen[kind] = true
    if found.cut then return found, nil end
    if length > 0 then add_value(item, kind, tvb:range(at + 2, length), found) end
    at = at + 2 + length
    if kind == END then return found, at end
  end
  return found, nil
end

local function direction_of(found)
  if found.ingress ~= nil then return found.ingress and "ingress" or "egress" end
  if found.cut then return "unknown" end
  if found.seen[SRC_VN] and not found.seen[DST_VN] then return "ingress" end
  if found.seen[DST_VN] and not found.seen[SRC_VN] then return "egress" end
  return "unknown"
end

local function kind_of(found)
  local names = (found.seen[SRC_VN] and 1 or 0) + (found.seen[DST_VN] and 1 or 0)
  if found.seen[CAPTURE_HOST] or found.seen[FLAGS] or names == 2 then return "flow" end
  return names == 1 and "port" or "none"
end

-- The network's own name, without domain and project.
local function short_name(name)
  return name and (name:match("([^:]+)$") or name) or "?"
end

local function prefix_of(kind, direction, found)
  if kind == "flow" then
    return "[" .. short_name(found.src_vn) .. " > " .. short_name(found.dst_vn) .. " " .. direction .. "] "
  end
  if kind == "port" then return "[" .. short_name(found.src_vn or found.dst_vn) .. " " .. direction .. "] " end
  return "[mirrored] "
end

local ethernet = Dissector.get("eth_withoutfcs")
local data = Dissector.get("data")

function cmirror.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "CMIRROR"
  pinfo.cols.info = ""
  local tree = root:add(cmirror, tvb:range(0, 0))
  local found, frame = add_metadata(tvb, tree)
  tree:set_len(frame or tvb:len())
  local kind, direction = kind_of(found), direction_of(found)
  -- Of cut metadata only copies of flows are known for what they are.
  if not found.cut or kind == "flow" then tree:add(fields.kind, kind):set_generated() end
  tree:add(fields.direction, direction):set_generated()
  if tvb:len() < tvb:reported_len() then tree:add_proto_expert_info(experts.cut) end
  if found.cut then
    pinfo.cols.info = "Contrail mirror metadata, cut by the capture"
    return tvb:len()
  end
  if not frame then
    if not found.overrun then tree:add_proto_expert_info(experts.no_end) end
    pinfo.cols.info = "Contrail mirror metadata, malformed"
    return tvb:len()
  end
  tree:add(fields.len, tvb:range(0, frame), frame):set_generated()
  local prefix = prefix_of(kind, direction, found)
  tree:append_text(", " .. kind .. ", " .. direction)

  local left = tvb:reported_len() - frame
  if left < SHORTEST_FRAME then
    tree:add_proto_expert_info(experts.short_frame)
    pinfo.cols.info = prefix .. "no frame"
    if tvb:len() > frame then data:call(tvb:range(frame):tvb(), pinfo, root) end
    return tvb:len()
  end
  if tvb:len() - frame < SHORTEST_FRAME then
    pinfo.cols.info = prefix .. "cut by the capture"
    if tvb:len() > frame then data:call(tvb:range(frame):tvb(), pinfo, root) end
    return tvb:len()
  end
  ethernet:call(tvb:range(frame):tvb(), pinfo, root)
  pinfo.cols.info:prepend(prefix)
  return tvb:len()
end

-- Whether a datagram begins with whole, valid metadata that says something, and a frame can follow.
local function is_valid(tvb)
  local seen, at, size = {}, 0, tvb:len()
  while at + 2 <= size do
    local kind, length = tvb:range(at, 1):uint(), tvb:range(at + 1, 1):uint()
    if not TYPE_NAMES[kind] or seen[kind] or not legal_length(kind, length) then return false end
    at = at + 2 + length
    if kind == END then return next(seen) ~= nil and at + SHORTEST_FRAME <= size end
    seen[kind] = true
  end
  return false
end

cmirror:register_heuristic("udp", function(tvb, pinfo, root)
  if not cmirror.prefs.heuristic or not is_valid(tvb) then return false end
  cmirror.dissector(tvb, pinfo, root)
  return true
end)

local udp_port = DissectorTable.get("udp.port")
local registered = ""

local function register(ports)
  if registered ~= "" then udp_port:remove(registered, cmirror) end
  if ports ~= "" then udp_port:add(ports, cmirror) end
  registered = ports
end

function cmirror.prefs_changed()
  register(tostring(cmirror.prefs.ports))
end

register(tostring(cmirror.prefs.ports))
udp_port:add_for_decode_as(cmirror)
