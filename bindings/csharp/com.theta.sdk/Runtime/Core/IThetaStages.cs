// What for: the three moments of a display frame at which networking has work. Must never: name an engine type; a console
// program calls the same three methods in the same order. Called by: Unity/ThetaLoop.cs or the program's own loop.
namespace Theta
{
    /// <summary>What an application does in each display frame. Engine updates run between the first two.</summary>
    public interface IThetaStages
    {
        /// <summary>Before anything else in the frame: poll events until empty, acquire a frame.</summary>
        void EarlyUpdate();

        /// <summary>As late as possible before rendering: read the tracked pose, send it, sample what others show.</summary>
        void BeforeRender();

        /// <summary>After everything: release the frame.</summary>
        void PostLateUpdate();
    }
}
