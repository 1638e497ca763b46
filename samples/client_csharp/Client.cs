// A client with the stages of Unity's frame: events and frames first, fixed updates at 50 Hz, update, late pose and sampling before
// rendering, release last. It plays a recording as its own motion, compares what it sees of others with what they play, and hashes
// every tick. Nothing in the stages allocates after the first second.
using System;
using System.Collections.Generic;
using System.Globalization;
using Theta;

namespace Samples
{
    internal sealed class Client : IThetaStages
    {
        internal const double PatienceSeconds = 20;

        // An avatar counts from half a second after it was first seen in motion: the blend from the empty avatar of the spawn to the
        // first input is no pose of the recording.
        private const ulong SettleNs = 500000000;

        // The avatar's host tag: unknown 0, no index in its name 1, else index + 2. It comes back with every row, so that no
        // dictionary is needed.
        private const ulong TagNoIndex = 1;
        private const ulong TagFirstIndex = 2;

        private readonly ThetaClient _session;
        private readonly ThetaComponent<DemoAvatar> _avatar;
        private readonly ulong _cubeId;
        private readonly Options _options;
        private readonly Motion _motion;
        private readonly TickHasher _hasher;
        private readonly HashFile _hashes;
        private readonly ulong _framePeriodNs;
        private readonly ulong _beganNs;
        private readonly int[] _eventCounts = new int[EventNames.Length];
        private readonly Distribution _errorMm = new Distribution();
        private readonly byte[] _text = new byte[1024];

        private Frame _held;
        private bool _holds;
        private bool _hasPlanted;
        private EntityRow[] _rows = new EntityRow[64];
        private EntityId[] _others = new EntityId[64];
        private uint[] _otherIndex = new uint[64];
        private uint[] _otherLocal = new uint[64];
        private DemoAvatar[] _sampled = new DemoAvatar[64];
        private SampleResult[] _how = new SampleResult[64];
        private EntityId[] _movingWho = new EntityId[1024];
        private ulong[] _movingSinceNs = new ulong[1024];
        private int _otherCount;
        private InputSample _input;
        private BodyPose _body;
        private uint _self;
        private ulong _liveSinceNs;
        private uint _firstTick;
        private uint _lastTick;
        private double _secondsAtEnd;
        private ThetaStatistics _atLive;
        private ThetaStatistics _atSecond;
        private ThetaStatistics _atEnd;

        internal Client(
            ThetaClient session, ThetaComponent<DemoCube> cube, ThetaComponent<DemoAvatar> avatar, Options options, Motion motion,
            HashFile hashes, ulong framePeriodNs)
        {
            _session = session;
            _avatar = avatar;
            _cubeId = cube.Id;
            _options = options;
            _motion = motion;
            _hashes = hashes;
            _framePeriodNs = framePeriodNs;
            _hasher = new TickHasher(cube, avatar);
            _beganNs = ThetaRuntime.NowNs;
        }

        private static readonly string[] EventNames =
        {
            "OTHER", "STATE_CHANGED", "JOIN_REQUEST", "PEER_JOINED", "PEER_LEFT", "ADMITTED", "JOIN_PROGRESS", "ENTITY_SPAWNED",
            "ENTITY_DESPAWNED", "OWNER_CHANGED", "PARENT_CHANGED", "DIVERGED", "REPAIRED", "DISCONNECTED", "REFUSED", "RESYNC",
            "FAULTED", "LOG", "PEER_LIVE", "PEER_AWAY", "PEER_BACK", "INVITE_BOUND", "SCHEMA_MAPPED", "OTHER", "CODEC_FAILED",
        };

        /// <summary>Why the session ended, or null while it goes on.</summary>
        internal string Problem { get; private set; }

        internal bool IsLive
        {
            get { return _liveSinceNs != 0; }
        }

        internal double SecondsLive
        {
            get { return IsLive ? (ThetaRuntime.NowNs - _liveSinceNs) / 1e9 : 0; }
        }

        internal double SecondsSinceStart
        {
            get { return (ThetaRuntime.NowNs - _beganNs) / 1e9; }
        }

        /// <summary>Events until there are none, then every complete tick in order; the newest stays held for this frame.</summary>
        public void EarlyUpdate()
        {
            ThetaEvent item;
            while (_session.TryPoll(out item))
            {
                Handle(ref item);
            }
            if (_session.LastPollStatus.IsError())
            {
                Fail("theta_session_poll", _session.LastPollStatus);
            }
            Frame next;
            ThetaStatus status;
            while ((status = _session.AcquireNext(out next)) == ThetaStatus.Ok)
            {
                Release();
                _held = next;
                _holds = true;
                HashHeld();
            }
            // A session that is still joining has no frame to give.
            if (status.IsError() && status != ThetaStatus.State && IsLive)
            {
                Fail("theta_frame_acquire", status);
            }
        }

        /// <summary>50 Hz: what a game's physics would do; here it moves the player's body along the recording.</summary>
        internal void FixedUpdate()
        {
            _body = _motion.At(_options.Index, ClockUs());
        }

        /// <summary>Once per frame: who is there.</summary>
        internal void Update()
        {
            if (!_holds)
            {
                return;
            }
            int count;
            ThetaStatus status = _held.Entities(_avatar, _rows, out count);
            if (status == ThetaStatus.Truncated)
            {
                Grow(count * 2);
                status = _held.Entities(_avatar, _rows, out count);
            }
            if (status.IsError())
            {
                Fail("theta_frame_entities", status);
                return;
            }
            _otherCount = 0;
            for (int i = 0; i < count; i++)
            {
                if (_rows[i].Owner == _self)
                {
                    continue;
                }
                ulong tag = _rows[i].HostTag != 0 ? _rows[i].HostTag : TagFromName(_rows[i].Id);
                _others[_otherCount] = _rows[i].Id;
                _otherIndex[_otherCount] = tag >= TagFirstIndex ? (uint)(tag - TagFirstIndex) : uint.MaxValue;
                _otherLocal[_otherCount] = _rows[i].LocalIndex;
                _otherCount++;
            }
        }

        /// <summary>As late as possible: the pose that is sent is the one that is shown.</summary>
        public void BeforeRender()
        {
            if (!IsLive)
            {
                return;
            }
            ulong displayNs = ThetaRuntime.NowNs + _framePeriodNs;
            ulong clockUs = ClockUs();
            _body = _motion.At(_options.Index, clockUs);
            _input.SampledAtUs = clockUs;
            _input.TargetDisplayUs = clockUs + (_framePeriodNs / 1000);
            SetPose(ref _input.Head, ref _body.Head);
            SetPose(ref _input.Left, ref _body.Left);
            SetPose(ref _input.Right, ref _body.Right);
            ThetaStatus sent = _session.SendInput(ref _input);
            if (sent.IsError())
            {
                Fail("theta_session_send_input", sent);
                return;
            }
            SampleOthers(displayNs);
        }

        /// <summary>The frame goes back.</summary>
        public void PostLateUpdate()
        {
            Release();
        }

        internal void EachSecond()
        {
            _hashes.Flush();
            ThetaStatistics link;
            if (_session.GetStatistics(0, out link).IsError())
            {
                return;
            }
            if (_options.Live)
            {
                Console.Out.WriteLine(string.Format(
                    CultureInfo.InvariantCulture,
                    "status kind=client name={0} language=csharp transport=quic state={1} tick={2} rtt_ms={3} in_bytes_per_s={4} "
                    + "out_bytes_per_s={5} pose_error_mm_p50={6} pose_error_mm_p99={7} complete_ticks={8} started_ticks={9}",
                    _options.Name,
                    IsLive ? "live" : "joining",
                    Text.Shown(_lastTick == 0 ? (double?)null : _lastTick, 0, "-"),
                    Text.Shown(link.RttUs / 1e3, 2, "-"),
                    Text.Shown(Rate(link.BytesReceived, _atSecond.BytesReceived, 1), 0, "-"),
                    Text.Shown(Rate(link.BytesSent, _atSecond.BytesSent, 1), 0, "-"),
                    Text.Shown(_errorMm.RecentPercentile(0.50), 2, "-"),
                    Text.Shown(_errorMm.RecentPercentile(0.99), 2, "-"),
                    link.TicksComplete,
                    link.TicksStarted));
                Console.Out.Flush();
            }
            _atSecond = link;
            _errorMm.RecentDone();
        }

        /// <summary>Says goodbye and gives it a moment to arrive, so that the others see a player leave and not a link break.</summary>
        internal void Finish()
        {
            _secondsAtEnd = SecondsLive;
            _session.GetStatistics(0, out _atEnd);
            if (_session.Leave().IsError())
            {
                return;
            }
            for (int turn = 0; turn < 50 && _session.State != SessionState.Closed; turn++)
            {
                ThetaEvent item;
                while (_session.TryPoll(out item))
                {
                }
                System.Threading.Thread.Sleep(10);
            }
        }

        internal string Report()
        {
            JsonObject events = new JsonObject();
            SortedDictionary<string, int> sorted = new SortedDictionary<string, int>(StringComparer.Ordinal);
            for (int i = 0; i < EventNames.Length; i++)
            {
                if (_eventCounts[i] > 0)
                {
                    sorted[EventNames[i]] = _eventCounts[i];
                }
            }
            foreach (KeyValuePair<string, int> pair in sorted)
            {
                events.Number(pair.Key, pair.Value);
            }
            return new JsonObject()
                .String("name", _options.Name)
                .String("language", "csharp")
                .String("transport", "quic")
                .Number("rtt_ms_p50", _atEnd.RttP50Us / 1e3, 3)
                .Number("rtt_ms_p99", _atEnd.RttP99Us / 1e3, 3)
                .Number("in_bytes_per_s", Rate(_atEnd.BytesReceived, _atLive.BytesReceived, _secondsAtEnd))
                .Number("out_bytes_per_s", Rate(_atEnd.BytesSent, _atLive.BytesSent, _secondsAtEnd))
                .Number("pose_error_mm_p50", _errorMm.Percentile(0.50), 3)
                .Number("pose_error_mm_p99", _errorMm.Percentile(0.99), 3)
                .Number("complete_ticks", _atEnd.TicksComplete)
                .Number("started_ticks", _atEnd.TicksStarted)
                .Number("first_tick", _firstTick == 0 ? (double?)null : _firstTick)
                .Number("last_tick", _lastTick == 0 ? (double?)null : _lastTick)
                .Raw("events", events.ToString())
                .Number("samples", _errorMm.Count)
                .ToString();
        }

        private static double? Rate(ulong now, ulong before, double seconds)
        {
            return seconds > 0 && now >= before ? (now - before) / seconds : (double?)null;
        }

        private void Handle(ref ThetaEvent item)
        {
            _eventCounts[(uint)item.Kind < EventNames.Length ? (int)item.Kind : 0]++;
            switch (item.Kind)
            {
                case ThetaEventKind.StateChanged:
                    if (item.Code == (int)SessionState.Live && !IsLive)
                    {
                        SessionInfo info;
                        _session.GetInfo(out info);
                        _self = info.LocalPeer;
                        _session.GetStatistics(0, out _atLive);
                        _atSecond = _atLive;
                        _liveSinceNs = ThetaRuntime.NowNs;
                    }
                    break;
                case ThetaEventKind.Disconnected:
                case ThetaEventKind.Faulted:
                    Problem = Problem ?? _session.Text(item);
                    break;
            }
        }

        private void HashHeld()
        {
            FrameInfo info;
            ulong hash;
            ThetaStatus status = _held.GetInfo(out info);
            if (!status.IsError())
            {
                status = _hasher.Hash(_held, out hash);
                if (!status.IsError())
                {
                    _hashes.Line(info.Tick, hash);
                    _firstTick = _firstTick == 0 ? info.Tick : _firstTick;
                    _lastTick = info.Tick;
                    PlantDivergence(info.Tick);
                    return;
                }
            }
            Fail("tick hash", status);
        }

        private void PlantDivergence(uint tick)
        {
            if (_options.DivergenceTick == 0 || tick < _options.DivergenceTick || _hasPlanted || !IsLive)
            {
                return;
            }
            _hasPlanted = true;
            ThetaStatus planted = ThetaExperimental.PlantDivergence(_session, _cubeId, 1);
            if (planted.IsError())
            {
                Fail("thetax_session_plant_divergence", planted);
            }
        }

        private ulong TagFromName(EntityId avatar)
        {
            int length;
            if (_held.Payload(avatar, _text, out length).IsError())
            {
                return TagNoIndex;
            }
            int index = Text.IndexOf(_text, Math.Min(length, _text.Length));
            ulong tag = index < 0 ? TagNoIndex : TagFirstIndex + (ulong)index;
            _session.SetHostTag(avatar, tag);
            return tag;
        }

        private void SampleOthers(ulong displayNs)
        {
            double tick;
            ThetaStatus status = _session.RenderTick(displayNs, out tick);
            if (!status.IsError() && _otherCount > 0)
            {
                status = _session.Sampler.Sample(
                    _avatar, new ReadOnlySpan<EntityId>(_others, 0, _otherCount), tick, _sampled, _how);
            }
            if (status.IsError())
            {
                // Right after joining there may be no two ticks to look between yet.
                if (status != ThetaStatus.NotSampled && status != ThetaStatus.State)
                {
                    Fail("theta_session_sample", status);
                }
                return;
            }
            for (int i = 0; i < _otherCount; i++)
            {
                bool fresh = _how[i] == SampleResult.Interpolated || _how[i] == SampleResult.Extrapolated;
                double time = _sampled[i].MotionTimeUs;
                if (_otherIndex[i] == uint.MaxValue || !fresh || !Settled(_others[i], _otherLocal[i], time))
                {
                    continue;
                }
                BodyPose meant = _motion.At(_otherIndex[i], time);
                _errorMm.Add(DistanceMm(ref _sampled[i].HeadPosition, ref meant.Head));
                _errorMm.Add(DistanceMm(ref _sampled[i].LeftPosition, ref meant.Left));
                _errorMm.Add(DistanceMm(ref _sampled[i].RightPosition, ref meant.Right));
            }
        }

        private bool Settled(EntityId avatar, uint localIndex, double motionTimeUs)
        {
            if (motionTimeUs <= 0)
            {
                return false;
            }
            if (localIndex >= _movingWho.Length)
            {
                Array.Resize(ref _movingWho, (int)localIndex * 2);
                Array.Resize(ref _movingSinceNs, (int)localIndex * 2);
            }
            ulong nowNs = ThetaRuntime.NowNs;
            if (_movingWho[localIndex] != avatar)
            {
                _movingWho[localIndex] = avatar;
                _movingSinceNs[localIndex] = nowNs;
            }
            return nowNs - _movingSinceNs[localIndex] >= SettleNs;
        }

        private static double DistanceMm(ref Vec3 seen, ref Limb meant)
        {
            double x = seen.X - meant.X;
            double y = seen.Y - meant.Y;
            double z = seen.Z - meant.Z;
            return 1000 * Math.Sqrt((x * x) + (y * y) + (z * z));
        }

        private static void SetPose(ref Pose pose, ref Limb from)
        {
            pose.Position = new Vec3((float)from.X, (float)from.Y, (float)from.Z);
            pose.Rotation = new Quat((float)from.QX, (float)from.QY, (float)from.QZ, (float)from.QW);
            pose.Flags = PoseFlags.Valid | PoseFlags.Tracked;
        }

        /// <summary>Never 0: a time of 0 in the avatar means that its player has not moved yet.</summary>
        private ulong ClockUs()
        {
            return 1 + ((ThetaRuntime.NowNs - _beganNs) / 1000);
        }

        private void Release()
        {
            if (_holds)
            {
                _held.Dispose();
                _holds = false;
            }
        }

        private void Grow(int rows)
        {
            _rows = new EntityRow[rows];
            _others = new EntityId[rows];
            _otherIndex = new uint[rows];
            _otherLocal = new uint[rows];
            _sampled = new DemoAvatar[rows];
            _how = new SampleResult[rows];
        }

        private void Fail(string where, ThetaStatus status)
        {
            Problem = Problem ?? where + ": " + status.Text();
        }
    }
}
