// Put this on an empty GameObject and press Play: it hosts a session, joins it from the same process and moves a cube with
// what came back over the wire.
using UnityEngine;

namespace Theta.Samples
{
    /// <summary>The replicated state.</summary>
    [ThetaComponent("hello.cube")]
    public struct HelloCube
    {
        /// <summary>Where.</summary>
        [ThetaField(1, Min = -16, Max = 16, Step = 1.0 / 1024, Semantic = ThetaSemantic.Point)]
        public Vec3 Position;

        /// <summary>How it is turned.</summary>
        [ThetaField(2, Bits = 10, Semantic = ThetaSemantic.Rotation)]
        public Quat Rotation;
    }

    /// <summary>Host and client in one process.</summary>
    public sealed class HelloSession : MonoBehaviour, IThetaStages
    {
        private readonly EntityId[] _entities = new EntityId[1];
        private readonly HelloCube[] _written = new HelloCube[1];
        private readonly HelloCube[] _shown = new HelloCube[1];
        private readonly SampleResult[] _results = new SampleResult[1];
        private ThetaRuntime _runtime;
        private ThetaRegistry _registry;
        private ThetaComponent<HelloCube> _cube;
        private ThetaHost _host;
        private ThetaClient _client;
        private Transform _visible;

        private void OnEnable()
        {
            _runtime = ThetaRuntime.Create();
            _registry = _runtime.CreateRegistry();
            _cube = _registry.Add<HelloCube>();
            _host = _runtime.Host(_registry, new ThetaHostOptions { DevMode = true });
            _client = _runtime.Join(_registry, new ThetaJoinOptions { Ticket = _host.Ticket(), Name = "hello" });
            _written[0].Rotation = Quat.Identity;
            _host.Spawn(new ThetaSpawn().Begin(1).With(_cube, _written[0]), out _entities[0]);
            _visible = GameObject.CreatePrimitive(PrimitiveType.Cube).transform;
            ThetaLoop.Add(this);
        }

        private void OnDisable()
        {
            // Some of them are not there when OnEnable threw, for one because the native library is missing.
            ThetaLoop.Remove(this);
            _client?.Dispose();
            _host?.Dispose();
            _registry?.Dispose();
            _runtime?.Dispose();
            if (_visible != null)
            {
                Destroy(_visible.gameObject);
            }
        }

        /// <inheritdoc/>
        public void EarlyUpdate()
        {
            ThetaEvent e;
            while (_host.TryPoll(out e))
            {
            }
            while (_client.TryPoll(out e))
            {
                if (e.Kind == ThetaEventKind.Disconnected)
                {
                    Debug.LogWarning(_client.Text(e));
                }
            }
            int due;
            _host.TicksDue(ThetaRuntime.NowNs, 4, out due);
            for (int i = 0; i < due; i++)
            {
                float t = Time.realtimeSinceStartup;
                _written[0].Position = new Vector3(Mathf.Sin(t) * 2, 1, 3);
                _written[0].Rotation = Quaternion.Euler(0, t * 60, 0);
                ThetaWrite write;
                if (_host.BeginWrite(out write) == ThetaStatus.Ok)
                {
                    WriteReport report;
                    write.Rows(_cube, _entities, _written, out report);
                    write.Commit();
                }
                uint tick;
                _host.Tick(out tick);
            }
        }

        /// <inheritdoc/>
        public void BeforeRender()
        {
            double tick;
            if (_client.RenderTick(ThetaRuntime.NowNs, out tick) != ThetaStatus.Ok)
            {
                return;
            }
            ThetaStatus status = _client.Sampler.Sample(_cube, _entities, tick, _shown, _results);
            if (!status.IsError() && _results[0] != SampleResult.Missing)
            {
                _visible.SetPositionAndRotation(_shown[0].Position, _shown[0].Rotation);
            }
        }

        /// <inheritdoc/>
        public void PostLateUpdate()
        {
        }
    }
}
