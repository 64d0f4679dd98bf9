def test_the_speed_is_measured_against_the_products_of_the_same_steps(folders, capsys):
    from ptp_core.__main__ import main

    common = ["train-speed", "--data", str(folders / "data"), "--model", str(folders / "model"), "--rank=4"]
    common += ["--device=cpu", "--dtype=float32", "--max-tokens=300", "--starts=8"]
    for variant in ("o-ptp", "c-ptp"):
        assert main([*common, "--rows=3", f"--variant={variant}"]) == 0
        assert "times as many" in capsys.readouterr().out
    assert main([*common, "--rows=1"]) == 1
    assert "Two conversations" in capsys.readouterr().err
